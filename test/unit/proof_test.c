#include "unit.h"

#include "sluice/codec/proof.h"
#include "sluice/codec/turn_codec.h"

static const struct span openai = {(const uint8_t *)"openai", 6};
static const struct span anthropic = {(const uint8_t *)"anthropic", 9};

static void proofs_are_wrapped_with_who_made_them(void **state)
{
    (void)state;
    static const struct {
        enum turn_event_kind kind;
        const char *id, *text, *wrapped; /* NULL: it cannot be */
    } rows[] = {
        {TURN_PROOF, "", "quo\\\"te", NULL},
        {TURN_PROOF, "", "two words", NULL},
        {TURN_PROOF, "", "tab\\t\x01", NULL},
        {TURN_PROOF, "rs.1", "abc", NULL},
        {TURN_PROOF, "rs\\n{", "abc", NULL},
        {TURN_PROOF, "rs_1", "gAAA-_x==", "sluice1.openai.s.rs_1.gAAA-_x=="},
        {TURN_PROOF, "", "Er+/A\\/==", "sluice1.openai.s..Er+/A\\/=="},
        {TURN_PROOF, "", "a.b", "sluice1.openai.s..a.b"},
        {TURN_REDACTED, "", "Emg=", "sluice1.openai.h..Emg="},
    };
    struct buf out = {0};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct turn_event e = {
            .kind = rows[i].kind, .id = span_text(rows[i].id), .text = span_text(rows[i].text)};
        bool is_done = proof_wrap(openai, &e, &out);
        assert_row(i, is_done == (rows[i].wrapped != NULL));
        assert_row(i, !is_done || span_eq(buf_span(&out), span_text(rows[i].wrapped)));
    }
    buf_fini(&out);
}

struct history {
    struct arena arena;
    struct turn_request r;
};

static struct turn_part *add(struct history *h, enum turn_role role, enum turn_part_kind kind,
                             const char *text, const char *proof)
{
    struct turn_message *m = turn_add_message(&h->r, &h->arena, role);
    struct turn_part **end = &m->parts;
    struct turn_part *p = turn_add_part(&h->r, &end, &h->arena, kind);
    p->text = span_text(text);
    p->proof = span_text(proof);
    return p;
}

static void a_family_gets_its_own_proofs_back_and_no_others(void **state)
{
    (void)state;
    static const struct {
        enum turn_part_kind kind;
        const char *text, *proof;
        enum turn_part_kind becomes;
        const char *left_text, *left_proof, *left_id; /* left_text NULL: the part goes */
    } rows[] = {
        /* nobody's, another's, broken */
        {PART_REASONING, "", "", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "raw", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.openai.s.rs_1.x", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.anthropic", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.anthropic.s", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.anthropic.s.", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.anthropic.s..", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.anthropic.x..p", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.anthropic.ss..p", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice1.anthropi.s..p", 0, NULL, NULL, NULL},
        {PART_REASONING, "", "sluice2.anthropic.s..p", 0, NULL, NULL, NULL},
        {PART_REDACTED, "raw", "", 0, NULL, NULL, NULL},
        {PART_REDACTED, "sluice1.openai.h..x", "", 0, NULL, NULL, NULL},
        /* text stays without its proof */
        {PART_REASONING, "think", "raw", PART_REASONING, "think", "", ""},
        {PART_REASONING, "think", "sluice1.openai.s.rs_1.x", PART_REASONING, "think", "", ""},
        {PART_REASONING, "think", "", PART_REASONING, "think", "", ""},
        /* its own */
        {PART_REASONING, "think", "sluice1.anthropic.s..Er+/==", PART_REASONING, "think",
         "Er+/==", ""},
        {PART_REASONING, "", "sluice1.anthropic.s.id-1.a.b", PART_REASONING, "", "a.b", "id-1"},
        {PART_REASONING, "", "sluice1.anthropic.h..Emg=", PART_REDACTED, "Emg=", "", ""},
        {PART_REDACTED, "sluice1.anthropic.h..Emg=", "", PART_REDACTED, "Emg=", "", ""},
        {PART_REDACTED, "sluice1.anthropic.s.i.p", "", PART_REASONING, "", "p", "i"},
        /* no proofs at all */
        {PART_TEXT, "sluice1.openai.s..x", "", PART_TEXT, "sluice1.openai.s..x", "", ""},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct history h = {.r = {.stream = false}};
        arena_init(&h.arena, NULL, 512);
        struct turn_part *p = add(&h, ROLE_ASSISTANT, rows[i].kind, rows[i].text, rows[i].proof);
        proof_keep(&h.r, anthropic);
        bool stays = rows[i].left_text != NULL;
        assert_row(i, (h.r.messages->parts == p) == stays);
        assert_row(i, !stays || p->kind == rows[i].becomes);
        assert_row(i, !stays || span_eq(p->text, span_text(rows[i].left_text)));
        assert_row(i, !stays || span_eq(p->proof, span_text(rows[i].left_proof)));
        assert_row(i, !stays || span_eq(p->id, span_text(rows[i].left_id)));
        arena_fini(&h.arena);
    }
}

/* Upstreams refuse messages without content. */
static void a_message_of_which_nothing_is_left_goes(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 3; at++) { /* first, between, last */
        struct history h = {.r = {.stream = false}};
        arena_init(&h.arena, NULL, 512);
        for (unsigned i = 0; i < 3; i++) {
            if (i == at)
                add(&h, ROLE_ASSISTANT, PART_REASONING, "", "sluice1.openai.s..x");
            else
                add(&h, ROLE_USER, PART_TEXT, "", "");
        }
        proof_keep(&h.r, anthropic);
        assert_ptr_equal(h.r.messages->next, h.r.last_message);
        assert_null(h.r.last_message->next);
        assert_int_equal(h.r.messages->role, ROLE_USER);
        assert_int_equal(h.r.last_message->role, ROLE_USER);
        arena_fini(&h.arena);
    }
}

static void a_request_keeps_its_only_message(void **state)
{
    (void)state;
    struct history h = {.r = {.stream = false}};
    arena_init(&h.arena, NULL, 512);
    add(&h, ROLE_ASSISTANT, PART_REASONING, "", "x");
    add(&h, ROLE_ASSISTANT, PART_REASONING, "", "y");
    proof_keep(&h.r, anthropic);
    assert_non_null(h.r.messages);
    assert_ptr_equal(h.r.messages, h.r.last_message);
    arena_fini(&h.arena);
}

/* What a Responses client replays of a turn of Anthropic's model, on its way to another's. */
static void replayed_reasoning_reaches_every_upstream_in_a_form_it_takes(void **state)
{
    (void)state;
    static const char body[] = "{\"model\":\"m\",\"input\":[{\"role\":\"user\",\"content\":\"q\"},"
                               "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],"
                               "\"encrypted_content\":\"sluice1.anthropic.s..Sig=\"},"
                               "{\"role\":\"user\",\"content\":\"q2\"}]}";
    static const struct {
        enum upstream_api api;
        bool has_proof;
    } rows[] = {{UPSTREAM_CHAT, false}, {UPSTREAM_RESPONSES, false}, {UPSTREAM_MESSAGES, true}};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct upstream_codec *up = upstream_codec_for(rows[i].api);
        struct turn_notes notes = {.n = 0};
        struct wire_options o = {.model = SPAN_LIT("m"), .default_max_tokens = 100};
        struct buf out = {0};
        struct fault why;
        struct history h;
        arena_init(&h.arena, NULL, 512);
        assert_true(client_codec_for(API_RESPONSES)
                        ->read(span_text(body), &o.translation, &h.arena, &h.r, &why));
        proof_keep(&h.r, up->family);
        assert_true(up->write(&h.r, &o, &h.arena, &out, &notes, &why));
        assert_row(i, span_find(buf_span(&out), SPAN_LIT("sluice1")) == SIZE_MAX);
        assert_row(i, span_find(buf_span(&out), SPAN_LIT("[]")) == SIZE_MAX);
        assert_row(i, (span_find(buf_span(&out), SPAN_LIT("\"Sig=\"")) != SIZE_MAX) ==
                          rows[i].has_proof);
        buf_fini(&out);
        arena_fini(&h.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_are_wrapped_with_who_made_them),
        cmocka_unit_test(a_family_gets_its_own_proofs_back_and_no_others),
        cmocka_unit_test(a_message_of_which_nothing_is_left_goes),
        cmocka_unit_test(a_request_keeps_its_only_message),
        cmocka_unit_test(replayed_reasoning_reaches_every_upstream_in_a_form_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
