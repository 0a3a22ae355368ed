#include "watch.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static uint64_t thread_cpu_ns(int pid, const char *thread)
{
    char path[300];
    unsigned long long on_cpu_ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0; /* the thread ended between the listing and now */
    if (fscanf(file, "%llu", &on_cpu_ns) != 1)
        on_cpu_ns = 0;
    fclose(file);
    return on_cpu_ns;
}

static uint64_t process_cpu_ns(int pid)
{
    char path[64];
    uint64_t sum = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return 0;
    struct dirent *entry;
    while ((entry = readdir(threads)) != NULL)
        if (entry->d_name[0] != '.')
            sum += thread_cpu_ns(pid, entry->d_name);
    closedir(threads);
    return sum;
}

uint64_t watch_cpu_ns(const struct watch *w)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->count; i++)
        sum += process_cpu_ns(w->pid[i]);
    return sum;
}

static void process_memory(int pid, struct watch_memory *sum)
{
    char path[64], line[256];
    unsigned long long kb;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Rss: %llu", &kb) == 1)
            sum->rss_kb += kb;
        else if (sscanf(line, "Pss: %llu", &kb) == 1)
            sum->pss_kb += kb;
        else if (sscanf(line, "Anonymous: %llu", &kb) == 1)
            sum->anonymous_kb += kb;
    }
    fclose(file);
}

struct watch_memory watch_memory(const struct watch *w)
{
    struct watch_memory sum = {0};
    for (unsigned i = 0; i < w->count; i++)
        process_memory(w->pid[i], &sum);
    return sum;
}
