/* table_routing.c: the options of `routing`. */
#include "table_row.h"

static const struct option weights_rows[] = {
    {"price", &type_number, MEMBER(struct route_weights, price), .fallback = "40", .max = 1000,
     .doc = "How cheap it is, estimated for the request at hand."},
    {"throughput", &type_number, MEMBER(struct route_weights, throughput), .fallback = "20",
     .max = 1000, .doc = "How many tokens a second it writes."},
    {"latency", &type_number, MEMBER(struct route_weights, latency), .fallback = "20", .max = 1000,
     .doc = "How soon it begins."},
    {"reliability", &type_number, MEMBER(struct route_weights, reliability), .fallback = "20",
     .max = 1000, .doc = "How often it works."},
};
static const struct object weights_object = {
    "routing.weights",
    "What makes one endpoint of a model better than another where the request does not say. An "
    "endpoint's score is the sum of these, each times how it compares with the best; how often it is "
    "asked first goes by the square of its score.",
    ROWS(weights_rows), .size = sizeof(struct route_weights)};

#define TASK(name, task, text)                                                 \
    {name, &type_alias, MEMBER(struct routing_options, families[task].models), \
     COUNT(struct routing_options, families[task].n), .doc = text}

static const struct option tasks_rows[] = {
    TASK("general", TASK_GENERAL, "Anything, and what is meant when no task is named."),
    TASK("reasoning", TASK_REASONING, "What wants thought."),
    TASK("coding", TASK_CODING, "Programs."),
    TASK("long_context", TASK_LONG_CONTEXT, "Long prompts."),
};
static const struct object tasks_object = {
    "routing.tasks",
    "Which models a request means that names a `task` instead of a model, from the cheapest to the "
    "best: `prefer` picks among them.",
    ROWS(tasks_rows), .size = sizeof(struct routing_options)};

static const struct option retry_budget_rows[] = {
    {"ratio", &type_share, MEMBER(struct retry_budget_options, ratio_ppm), .fallback = "0.2",
     .doc = "So many for each request."},
    {"min_per_second", &type_number, MEMBER(struct retry_budget_options, min_per_second),
     .fallback = "10", .max = 1000000,
     .doc = "So many in any case, so that a gateway with little to do is not held to the share."},
};
static const struct object retry_budget_object = {
    "routing.retry_budget",
    "How many further attempts this process makes at endpoints that are not well (their circuit is "
    "open, or they asked to be left alone), so that an outage is not multiplied. Attempts at "
    "endpoints that are well are not counted.",
    ROWS(retry_budget_rows), .size = sizeof(struct retry_budget_options)};

static const struct option hedge_rows[] = {
    {"enabled", &type_bool, MEMBER(struct hedge_options, enabled), .fallback = "false",
     .doc = "Whether second attempts are made at all."},
    {"after", &type_patience, MEMBER(struct hedge_options, after), .fallback = "p95", .min = 1,
     .max = DAY_MS,
     .doc =
         "How long the first may have sent nothing of content. `p95`: longer than 95 of 100 first "
         "tokens (whole answers, where nothing streams) of that endpoint took in the last five "
         "minutes, once twenty were seen."},
    {"max_share", &type_share, MEMBER(struct hedge_options, max_share_ppm), .fallback = "0.06",
     .doc = "Most second attempts, for each request."},
};
static const struct object hedge_object = {
    "routing.hedge",
    "A second attempt beside one that is slow to begin: the first with content answers, the other is "
    "cancelled. See [routing.md](routing.md#a-second-attempt-beside-a-slow-one).",
    ROWS(hedge_rows), .size = sizeof(struct hedge_options)};

static const struct option routing_rows[] = {
    {"weights", &type_group, MEMBER(struct routing_options, weights), .object = &weights_object,
     .doc = "Which endpoint is the better one."},
    {"train_opt_out", &type_bool, MEMBER(struct routing_options, train_opt_out),
     .fallback = "false",
     .doc = "Every request goes only where prompts are neither kept nor trained on, as if it said "
            "`data_collection: deny`."},
    {"zdr_only", &type_bool, MEMBER(struct routing_options, zdr_only), .fallback = "false",
     .doc = "Every request goes only where nothing is kept, as if it said `zdr: true`."},
    {"tasks", &type_group, .object = &tasks_object, .doc = "Models by what they are good for."},
    {"explain", &type_bool, MEMBER(struct routing_options, explain), .fallback = "false",
     .doc = "Every answer has `X-Sluice-Explain`, asked for or not."},
    {"record", &type_text, MEMBER(struct routing_options, record),
     .doc =
         "A file for every decision, a JSON line each, as `sluice replay` reads them. SIGHUP opens "
         "it again."},
    {"retry_budget", &type_group, MEMBER(struct routing_options, retry_budget),
     .object = &retry_budget_object, .doc = "How often those are asked who are not well."},
    {"hedge", &type_group, MEMBER(struct routing_options, hedge), .object = &hedge_object,
     .doc = "Second attempts beside slow ones."},
    {"continue_streams", &type_bool, MEMBER(struct routing_options, continues_streams),
     .fallback = "false",
     .doc = "A stream whose provider breaks off in the middle of a text is gone on with by another "
            "endpoint that can (`facts.prefill`). Such streams are read and written anew, even "
            "where the provider speaks the client's protocol. A request may say otherwise: "
            "`provider.continue_streams`. [routing.md](routing.md#when-a-stream-breaks)."},
};
const struct object routing_object = {"routing", "Which endpoint is asked.", ROWS(routing_rows),
                                      .size = sizeof(struct routing_options)};
