/* The providers that need no description. */
#include "unit.h"

#include "config_bed.h"

#include "sluice/config/known_providers.h"

/* Every name of a preset once, in order, a space behind each. */
static void add_names(const struct preset *p, struct buf *all)
{
    assert_int_equal(0, buf_addf(all, " %s ", p->name));
    if (p->slug != NULL)
        assert_int_equal(0, buf_addf(all, " %s ", p->slug));
    struct span rest = span_text(p->also != NULL ? p->also : "");
    while (rest.len > 0) {
        struct span word = span_cut(&rest, ' ');
        assert_int_equal(0, buf_addf(all, " %.*s ", SPAN_FMT(word)));
    }
}

static unsigned count(struct span in, const char *word)
{
    char wanted[80];
    unsigned n = 0;
    size_t at;
    snprintf(wanted, sizeof wanted, " %s ", word);
    while ((at = span_find(in, span_text(wanted))) != SIZE_MAX) {
        in = span_skip(in, at + strlen(wanted) - 1);
        n++;
    }
    return n;
}

static void no_two_providers_share_a_name(void **state)
{
    (void)state;
    struct buf all = {0};
    struct known_provider k;
    for (unsigned i = 0; i < npresets; i++)
        add_names(&presets[i], &all);
    struct span rest = buf_span(&all);
    while (rest.len > 0) {
        char word[64];
        struct span one = span_cut(&rest, ' ');
        snprintf(word, sizeof word, "%.*s", SPAN_FMT(one));
        if (word[0] != '\0' && count(buf_span(&all), word) != 1)
            fail_msg("%s is the name of several", word);
    }
    for (unsigned i = 0; known_provider_at(i, &k); i++) {
        if (k.name == NULL && count(buf_span(&all), k.slug) > 0)
            fail_msg("%s has a preset", k.slug);
    }
    buf_fini(&all);
}

static void every_address_is_one(void **state)
{
    (void)state;
    struct buf text = {0};
    assert_int_equal(0, buf_add_text(&text, "providers:\n"));
    for (unsigned i = 0; i < npresets; i++) {
        const struct preset *p = &presets[i];
        if (p->base_url != NULL && p->protocol != PROTOCOL_DEMO)
            assert_int_equal(0, buf_addf(&text, "  %s: {%s}\n", p->name,
                                         p->auth == AUTH_NONE ? "" : " api_key: k "));
    }
    assert_int_equal(0, buf_add_byte(&text, '\0'));
    struct loaded l = good((const char *)text.at);
    for (unsigned i = 0; i < l.snap->nproviders; i++) {
        const struct provider_options *p = &l.snap->providers[i];
        bool is_local = p->auth == AUTH_NONE;
        if (p->protocol == PROTOCOL_DEMO)
            continue;
        if (p->https == is_local || p->host == NULL)
            fail_msg("%s: %s", p->name, p->base_url);
    }
    loaded_fini(&l);
    buf_fini(&text);
}

static void a_provider_has_one_slug_under_all_its_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *slug;
    } rows[] = {
        {"", NULL},
        {"nobody", NULL},
        {"gemini google-ai", NULL},
        {"tavily", NULL}, /* stands for itself */
        {"openai", "openai"},
        {"gemini", "google-ai-studio"},
        {"google-ai", "google-ai-studio"},
        {"google-ai-studio", "google-ai-studio"},
        {"huggingface", "hf-inference"},
        {"dashscope", "alibaba"},
        {"wandb", "weights-biases"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const char *slug = known_provider_slug(span_text(rows[i].name));
        assert_row(i, (slug == NULL) == (rows[i].slug == NULL));
        if (slug != NULL)
            assert_string_equal(slug, rows[i].slug);
    }
}

static void an_account_of_many_uses_makes_no_provider_by_itself(void **state)
{
    (void)state;
    struct snapshot *s = NULL;
    struct findings f = {0};
    setenv("HF_TOKEN", "hf_x", 1);
    setenv("CHUTES_API_KEY", "cpk_x", 1);
    assert_int_equal(0, snapshot_load(&(struct load_options){.path = NULL}, &s, &f));
    unsetenv("HF_TOKEN");
    unsetenv("CHUTES_API_KEY");
    bool has_chutes = false;
    for (unsigned i = 0; i < s->nproviders; i++) {
        has_chutes = has_chutes || strcmp(s->providers[i].name, "chutes") == 0;
        assert_string_not_equal(s->providers[i].name, "hf-inference");
    }
    assert_true(has_chutes);
    snapshot_unref(s);
    findings_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_providers_share_a_name),
        cmocka_unit_test(every_address_is_one),
        cmocka_unit_test(a_provider_has_one_slug_under_all_its_names),
        cmocka_unit_test(an_account_of_many_uses_makes_no_provider_by_itself),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
