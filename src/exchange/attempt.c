#include "exchange_priv.h"
#include "signature.h"

#include "sluice/catalog/facts.h"
#include "sluice/codec/form_request.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const unsigned may_become[] = {
    [ATTEMPT_NEW] = 1u << ATTEMPT_CONNECTING | 1u << ATTEMPT_WAITING | 1u << ATTEMPT_ENDED,
    [ATTEMPT_CONNECTING] = 1u << ATTEMPT_WAITING | 1u << ATTEMPT_ENDED,
    /* back to connecting: a reused connection was dead */
    [ATTEMPT_WAITING] = 1u << ATTEMPT_CONNECTING | 1u << ATTEMPT_STREAMING | 1u << ATTEMPT_ENDED,
    [ATTEMPT_STREAMING] = 1u << ATTEMPT_ENDED,
    [ATTEMPT_ENDED] = 0,
};

static void become(struct attempt *a, enum attempt_state next)
{
    assert(may_become[a->state] & 1u << next);
    a->state = next;
}

/* --- failing --------------------------------------------------------------------------------- */

void attempt_fail(struct attempt *a, enum attempt_result result, enum fault_kind kind,
                  const char *problem)
{
    struct attempt_failure f = {
        .result = result,
        .blame = BLAME_ENDPOINT,
        .fault = {.kind = kind},
    };
    snprintf(f.fault.message, sizeof f.fault.message, "provider %s: %s", a->target->provider->name,
             problem);
    exchange_attempt_failed(a, &f);
}

static void fail_deadline(struct attempt *a, const char *what, const char *option, unsigned ms)
{
    char problem[160];
    snprintf(problem, sizeof problem, "%s within %u.%u s (timeouts.%s)", what, ms / 1000,
             ms % 1000 / 100, option);
    attempt_fail(a, RESULT_TIMEOUT, FAULT_UPSTREAM_TIMEOUT, problem);
}

/* --- what it took ------------------------------------------------------------------------------ */

/* Only what a model writes can come to nothing: vectors, pictures and counts are there or are not. */
static bool is_insured(const struct attempt *a)
{
    const struct exchange *x = a->x;
    bool has_failed = x->outcome != OUTCOME_OK && x->outcome != OUTCOME_CLIENT_GONE;
    return api_writes_text(x->kind->api) && a->usage.source != USAGE_NONE &&
           cost_is_insured(&a->usage, span_text(a->finish_reason), has_failed,
                           x->outcome == OUTCOME_CLIENT_GONE);
}

struct cost attempt_cost(const struct attempt *a)
{
    const struct cost_terms terms = {
        .discount_ppm = exchange_discount_ppm(a->x),
        .is_own = a->own != NULL,
        .is_insured = is_insured(a),
    };
    return cost_on(&terms, &a->usage, a->target->price);
}

uint64_t attempt_ttft_ms(const struct attempt *a)
{
    uint64_t until = a->first_token_us != 0 ? a->first_token_us : clock_us();
    return a->sent_us != 0 && until > a->sent_us ? (until - a->sent_us) / 1000 : 0;
}

/* Four bytes a token is what prose and code in English come to, and a little much for Chinese. */
static uint64_t delivered_tokens(const struct attempt *a)
{
    uint64_t frames = a->pieces * a->frame_bytes;
    if (a->content_bytes <= frames)
        return a->events; /* whatever they hold, it is no text */
    return (a->content_bytes - frames + 3) / 4;
}

static uint64_t prompt_tokens(const struct attempt *a)
{
    uint64_t n = a->translation == NULL ? 0 : translation_prompt_tokens(a->translation);
    return n > 0 ? n : exchange_prompt_estimate(a->x);
}

/* A provider that broke off, or whose client left, has said less than it delivered: some say how much they
 * read when they begin, and what they wrote when they end. */
void attempt_estimate_usage(struct attempt *a, bool is_whole)
{
    struct usage *u = &a->usage;
    bool is_told = u->source == USAGE_PROVIDER && (is_whole || a->lane.finished);
    if (a->events == 0 || is_told || !api_writes_text(a->x->kind->api))
        return;
    uint64_t written = delivered_tokens(a);
    if (u->source == USAGE_NONE || u->completion < written)
        usage_fill(u, prompt_tokens(a), written, USAGE_ESTIMATED);
}

struct fault_attempt attempt_told(const struct attempt *a, enum attempt_result result,
                                  uint64_t until_us)
{
    return (struct fault_attempt){
        .provider = a->target->provider->name,
        .endpoint = target_name(a->target),
        .type = attempt_result_name(result),
        .status = a->status,
        .latency_ms = (unsigned)((until_us - a->started_us) / 1000),
    };
}

const struct secret *attempt_secret(const struct attempt *a)
{
    return a->bearer != NULL ? bearer_secret(a->bearer) : &a->provider->options->credential;
}

/* --- deadlines -------------------------------------------------------------------------------- */

/* The state's own limit, cut short by what is left of the provider's total. */
static void arm(struct attempt *a, unsigned ms)
{
    if (a->total_due_ms != 0) {
        uint64_t now = loop_now_ms(a->x->gateway->loop);
        uint64_t left = a->total_due_ms > now ? a->total_due_ms - now : 1;
        if (ms == 0 || ms > left)
            ms = (unsigned)left;
    }
    deadline_set(&a->deadline, ms);
}

static void on_deadline(struct deadline *d)
{
    struct attempt *a = (struct attempt *)((char *)d - offsetof(struct attempt, deadline));
    const struct provider_options *o = a->target->provider;
    if (a->state == ATTEMPT_STREAMING && lane_broken(a))
        return; /* all content was there: only the connection's end was missing */
    if (a->total_due_ms != 0 && loop_now_ms(a->x->gateway->loop) >= a->total_due_ms)
        fail_deadline(a, "did not finish", "total", o->total_timeout_ms);
    else if (a->state == ATTEMPT_WAITING)
        fail_deadline(a, "sent no response", "first_byte", o->first_byte_timeout_ms);
    else
        fail_deadline(a, "fell silent: no byte came", "idle", o->idle_timeout_ms);
}

/* --- the request ------------------------------------------------------------------------------ */

/* Everything of an upstream request's head that is decided per request. `own`: what stands in the
 * place of the client's fields. */
static struct span request_head(const struct attempt *a, struct span fields, struct span own,
                                size_t body_len)
{
    static uint8_t usual[72 * 1024];
    uint8_t digits[24] = {[20] = '\r', '\n', '\r', '\n'};
    size_t first = 20, at = 0;
    do
        digits[--first] = (uint8_t)('0' + body_len % 10);
    while ((body_len /= 10) > 0);
    const struct span parts[] = {
        SPAN_LIT("POST "),
        span_text(a->provider->options->path_prefix),
        a->path,
        SPAN_LIT(" HTTP/1.1\r\n"),
        a->provider->constant,
        fields,
        own,
        a->span != 0 ? trace_lines(a) : SPAN_NONE,
        bearer_line(a->bearer),
        SPAN_LIT("Content-Length: "),
        span_of(digits + first, sizeof digits - first),
    };
    size_t total = 0;
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        total += parts[i].len;
    /* server.header_max may let clients send more than the usual */
    uint8_t *room = total <= sizeof usual ? usual : arena_alloc(&a->x->sending, total);
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].len > 0)
            memcpy(room + at, parts[i].at, parts[i].len);
        at += parts[i].len;
    }
    return span_of(room, at);
}

static void note_sent(struct attempt *a)
{
    a->sent_us = clock_us();
    if (a->x->dispatched_us == 0)
        a->x->dispatched_us = a->sent_us;
    become(a, ATTEMPT_WAITING);
    arm(a, a->target->provider->first_byte_timeout_ms);
}

static enum flow on_piece(void *arg, const struct span *spans, unsigned n, bool last)
{
    struct attempt *a = arg;
    (void)last;
    return client_send(a->client, spans, n);
}

/* `spans`: the head, and a body of so many bytes, which stays where it is. */
static void send_all(struct attempt *a, const struct span *spans, unsigned n, size_t body_len)
{
    struct exchange *x = a->x;
    note_sent(a);
    if (body_len <= PUMP_PIECE_BYTES) {
        (void)client_send(a->client, spans, n); /* what the socket refuses is kept */
        return;
    }
    struct span *left = ARENA_ARRAY(&x->sending, struct span, n);
    memcpy(left, spans, n * sizeof *left);
    left[0] = arena_keep(&x->sending, spans[0]);
    a->sending = ARENA_NEW(&x->sending, struct pump);
    pump_start(a->sending, x->gateway->loop, left, n, on_piece, a);
}

void attempt_send_rest(struct attempt *a)
{
    if (a->sending != NULL)
        pump_finish(a->sending);
    a->sending = NULL;
}

static void stop_sending(struct attempt *a)
{
    if (a->sending != NULL)
        pump_stop(a->sending);
    a->sending = NULL;
}

/* Back to its pool, if all was said on both sides. */
static void release_connection(struct attempt *a)
{
    bool has_asked = a->sending == NULL || pump_is_through(a->sending);
    stop_sending(a);
    if (a->client == NULL)
        return;
    if (has_asked)
        client_release(a->client); /* closes it unless its message is complete */
    else
        client_close(a->client);
    a->client = NULL;
}

/* A body that stays Anthropic's is what betas are about. */
static bool takes_betas(const struct attempt *a)
{
    return a->dialect.upstream == NULL ||
           a->dialect.upstream == upstream_codec_for(UPSTREAM_MESSAGES);
}

/* Of what the client's head says, only that goes along with a body of ours that is about the body. */
static struct span made_fields(const struct attempt *a)
{
    static const struct span json = {(const uint8_t *)"Content-Type: application/json\r\n", 32};
    struct exchange *x = a->x;
    if (x->betas.len == 0 || !takes_betas(a) || a->dialect.invokes)
        return json;
    return span_text(arena_printf(&x->sending, "%.*santhropic-beta: %.*s\r\n", SPAN_FMT(json),
                                  SPAN_FMT(x->betas)));
}

struct openai_wanted attempt_wanted(const struct attempt *a)
{
    return (struct openai_wanted){
        .model = a->target->upstream_model,
        .instead = a->instead,
        .invokes = a->dialect.invokes,
        .keeps_nothing = !a->target->provider->stores_responses,
        .encrypts_reasoning = a->x->request->is_kept &&
                              (facts_of(a->target) & FACT_ENCRYPTED_REASONING) != 0,
        .unwanted = a->unwanted,
    };
}

/* The client's bytes, spliced. */
static void send_passing(struct attempt *a)
{
    struct exchange *x = a->x;
    struct span body = buf_span(&x->body.bytes);
    struct json_splice splice = {.nedits = 0};
    struct span spans[2 * SPLICE_EDITS_MAX + 2];
    size_t total;

    const struct openai_wanted wanted = attempt_wanted(a);
    if (api_takes_form(x->kind->api))
        form_request_splice(x->request, wanted.model, &x->sending, &splice);
    else
        openai_request_splice(x->request, body, &wanted, &x->sending, &splice);
    unsigned n = splice_spans(&splice, body, spans + 1, &total);
    spans[0] = request_head(a, a->dialect.invokes ? made_fields(a) : x->forward,
                            x->says_version ? SPAN_NONE : span_text(a->dialect.version), total);
    send_all(a, spans, n + 1, total);
}

/* What was made before: translated, or spliced to be signed. */
static void send_made(struct attempt *a)
{
    struct span spans[3];
    struct span body = translation_wire(a->translation);
    struct span own = signature_is_due(a->provider->options)
                          ? signature_lines(a->provider->options, a->path,
                                            translation_sha256(a->translation))
                          : span_text(a->dialect.version);
    spans[0] = request_head(a, made_fields(a), own, body.len);
    spans[1] = body;
    send_all(a, spans, 2, body.len);
}

static void send_request(struct attempt *a)
{
    if (a->translation == NULL)
        send_passing(a);
    else
        send_made(a);
}

/* --- the connection --------------------------------------------------------------------------- */

static bool on_client_head(void *owner, const struct http_head *head)
{
    return attempt_on_head(owner, head);
}

static void on_client_data(void *owner, const struct span *spans, unsigned n, bool last)
{
    attempt_on_data(owner, spans, n, last);
}

static void on_client_writable(void *owner)
{
    struct attempt *a = owner;
    if (a->sending != NULL)
        pump_go_on(a->sending);
}

static void connect_again(struct attempt *a);

static void on_client_failed(void *owner, int status, const char *problem)
{
    struct attempt *a = owner;
    struct client *c = a->client;
    bool was_dead = a->state == ATTEMPT_WAITING && client_was_reused(c) &&
                    !client_heard_anything(c) && !a->retried;
    a->client = NULL;
    stop_sending(a);
    if (was_dead)
        connect_again(a); /* the provider closed it while we were writing: nobody answered yet */
    else if (status == UV_EPROTO)
        attempt_on_broken(a, problem);
    else
        attempt_on_broken(a, a->state == ATTEMPT_WAITING
                                 ? "the connection closed before a response came"
                                 : "the connection broke in the middle of the response");
}

static const struct client_events client_events = {
    .head = on_client_head,
    .data = on_client_data,
    .failed = on_client_failed,
    .writable = on_client_writable,
};

static void fail_connect(struct attempt *a, const struct ticket_result *r)
{
    static const char *const stages[] = {
        [DIAL_RESOLVE] = "its name could not be resolved",
        [DIAL_CONNECT] = "no connection could be made",
        [DIAL_TLS] = "the TLS handshake failed",
        [DIAL_DONE] = "all its connections were busy and none became free", /* pool.max */
    };
    char problem[256];
    if (r->status == UV_ETIMEDOUT) {
        fail_deadline(a, stages[r->stage], "connect", a->target->provider->connect_timeout_ms);
        return;
    }
    snprintf(problem, sizeof problem, "%s: %s", stages[r->stage],
             r->problem != NULL ? r->problem : uv_strerror(r->status));
    attempt_fail(a, RESULT_CONNECT_FAILED, FAULT_UPSTREAM, problem);
}

static void on_ticket(void *arg, const struct ticket_result *r)
{
    struct attempt *a = arg;
    a->ticket = NULL;
    if (r->client == NULL) {
        fail_connect(a, r);
        return;
    }
    a->connect_us += r->connect_us;
    a->client = r->client;
    client_attach(a->client, &client_events, a);
    send_request(a);
}

static void take_connection(struct attempt *a)
{
    a->client = pool_take(a->provider->pool, a->retried, on_ticket, a, &a->ticket);
    if (a->client == NULL) {
        if (a->state != ATTEMPT_CONNECTING)
            become(a, ATTEMPT_CONNECTING);
        return;
    }
    client_attach(a->client, &client_events, a);
    send_request(a);
}

static void connect_again(struct attempt *a)
{
    a->retried = true;
    deadline_clear(&a->deadline);
    become(a, ATTEMPT_CONNECTING);
    take_connection(a);
}

/* The built-in provider hears Chat, like most. */
static void start_demo(struct attempt *a)
{
    struct exchange *x = a->x;
    a->sent_us = clock_us();
    if (x->dispatched_us == 0)
        x->dispatched_us = a->sent_us;
    become(a, ATTEMPT_WAITING);
    a->demo = demo_start(a, a->translation != NULL ? translation_wire(a->translation)
                                                   : buf_span(&x->body.bytes));
}

static void carry_token(struct attempt *a)
{
    a->bearer = access_token_bearer(a->provider->token);
    take_connection(a);
}

static void on_token(struct token_wait *w, const char *problem)
{
    struct attempt *a = (struct attempt *)((char *)w - offsetof(struct attempt, token_wait));
    if (problem != NULL)
        attempt_fail(a, RESULT_CONNECT_FAILED, FAULT_UPSTREAM, problem);
    else
        carry_token(a);
}

static void take_token(struct attempt *a)
{
    a->token_wait.done = on_token;
    switch (access_token_take(a->provider->token, &a->token_wait)) {
    case TOKEN_READY:
        carry_token(a);
        break;
    case TOKEN_LATER:
        become(a, ATTEMPT_CONNECTING);
        break;
    case TOKEN_LOST:
        attempt_fail(a, RESULT_CONNECT_FAILED, FAULT_UPSTREAM,
                     access_token_problem(a->provider->token));
        break;
    }
}

static struct span list_of(const struct turn_notes *notes, const char *between, const char *behind,
                           struct arena *a)
{
    char list[768] = "";
    int n = 0;
    for (unsigned i = 0; i < notes->n && n < (int)sizeof list; i++)
        n += snprintf(list + n, sizeof list - (size_t)n, "%s%s%s", i > 0 ? between : "",
                      notes->dropped[i], behind);
    return arena_keep(a, span_text(list));
}

/* What had to be left out, for the answer's head: our own field, and the contract's (D-13). */
static void note_dropped(struct attempt *a)
{
    struct exchange *x = a->x;
    struct turn_notes notes = {.n = 0};
    if (a->dialect.upstream != NULL)
        notes = *translation_notes(a->translation);
    else
        turn_note_parameters(&notes, a->unwanted);
    if (x->betas.len > 0 && !takes_betas(a))
        turn_note_dropped(&notes, "anthropic-beta");
    a->dropped = list_of(&notes, ", ", "", &x->sending);
    a->warning = list_of(&notes, "; ", " ignored", &x->sending);
    metric_add(x->gateway->instruments.fields_dropped, notes.n);
}

static void reach(struct attempt *a)
{
    if (a->translation != NULL || a->unwanted != 0)
        note_dropped(a);
    a->health = a->own != NULL ? own_key_health(a->own, a->target)
                               : health_of(a->x->deployment->health, a->target);
    health_begin(a->health);
    if (a->target->provider->protocol == PROTOCOL_DEMO)
        start_demo(a);
    else if (a->provider->token != NULL)
        take_token(a);
    else
        take_connection(a);
}

void attempt_translated(struct attempt *a)
{
    const struct fault *problem = translation_fault(a->translation);
    if (problem != NULL) {
        struct attempt_failure f = {
            .result = RESULT_UNSUPPORTED,
            .blame = translation_may_do_elsewhere(a->translation) ? BLAME_MATCH : BLAME_REQUEST,
            .fault = *problem,
        };
        if (f.fault.param != NULL) /* the translation goes with the attempt */
            f.fault.param = (const char *)arena_keep(&a->x->arena, span_text(f.fault.param)).at;
        exchange_attempt_failed(a, &f);
        return;
    }
    reach(a);
}

/* A body that cannot pass as it is, although the client speaks the provider's protocol: a conversation
 * that was translated before, one that ends in an answer another provider began, or files by URL for
 * Claude in other people's clouds, which takes them as data only. */
static bool must_be_translated(const struct attempt *a)
{
    const struct exchange *x = a->x;
    bool wants_data = a->dialect.model_instead != NULL &&
                      x->deployment->snapshot->server.fetch.enabled;
    return x->holds_proofs || continuation_has_text(x) || (x->holds_urls && wants_data);
}

void attempt_start(struct attempt *a, struct exchange *x, const struct planned_attempt *planned)
{
    unsigned provider = planned->target->provider_index;
    *a = (struct attempt){
        .x = x,
        .target = planned->target,
        .unwanted = planned->unwanted,
        .place = planned->place,
        .own = planned->with_own_key ? x->own[provider] : NULL,
        .provider = &x->deployment->providers[provider],
        .started_us = clock_us(),
        .lane = a->lane,
    };
    if (a->own != NULL)
        a->provider = own_key_provider(a->own);
    if (x->trace != NULL)
        trace_attempt_started(a);
    const struct provider_options *o = a->provider->options;
    deadline_init(&a->deadline, x->gateway->loop, on_deadline);
    if (o->total_timeout_ms != 0)
        a->total_due_ms = loop_now_ms(x->gateway->loop) + o->total_timeout_ms;
    if (!dialect_choose(x->kind->api, o, a->target->upstream_model, &a->dialect)) {
        attempt_fail(a, RESULT_CONNECT_FAILED, FAULT_NO_PROVIDER,
                     "its protocol has nothing of this kind");
        return;
    }
    if (a->dialect.upstream == NULL && must_be_translated(a))
        (void)dialect_translate(x->kind->api, o, a->target->upstream_model, &a->dialect);
    a->path = dialect_path(&a->dialect, o, a->target->upstream_model, x->wants_stream, &x->sending);
    a->instead = dialect_instead(&a->dialect, x->betas, x->request->betas, &x->sending);
    if (a->dialect.upstream != NULL || signature_is_due(o))
        translation_start(a);
    else
        reach(a);
}

void attempt_end(struct attempt *a, enum attempt_result result)
{
    if (a->x == NULL || a->state == ATTEMPT_ENDED)
        return;
    become(a, ATTEMPT_ENDED);
    a->result = result;
    a->ended_us = clock_us();
    deadline_clear(&a->deadline);
    metric_add(a->x->deployment->attempts[a->target->slug_number][result], 1);
    if (a->health != NULL && result == RESULT_CANCELLED && a->head_us == 0)
        health_given_up(a->health, a->ended_us - a->started_us, a->x->wants_stream);
    else if (a->health != NULL)
        health_end(a->health, result, a->blame);
    token_wait_cancel(&a->token_wait);
    bearer_unref(a->bearer);
    a->bearer = NULL;
    if (a->ticket != NULL)
        ticket_cancel(a->ticket);
    release_connection(a);
    document_lane_let_go(&a->lane);
    if (a->demo != NULL)
        demo_stop(a->demo);
    unwrap_close(a);
    translation_end(a->translation);
    a->translation = NULL;
    a->ticket = NULL;
    a->demo = NULL;
}

void attempt_received(struct attempt *a)
{
    deadline_clear(&a->deadline);
    release_connection(a);
}

/* --- flow ------------------------------------------------------------------------------------- */

void attempt_pause(struct attempt *a)
{
    if (a->paused || a->state != ATTEMPT_STREAMING)
        return;
    a->paused = true;
    deadline_clear(&a->deadline); /* the silence is ours */
    metric_add(a->x->gateway->instruments.stalls[STALL_CLIENT], 1);
    if (a->client != NULL)
        client_pause(a->client);
    if (a->demo != NULL)
        demo_pause(a->demo, true);
}

void attempt_resume(struct attempt *a)
{
    if (!a->paused || a->state != ATTEMPT_STREAMING)
        return;
    a->paused = false;
    arm(a, a->target->provider->idle_timeout_ms);
    if (a->client != NULL)
        client_resume(a->client);
    if (a->demo != NULL)
        demo_pause(a->demo, false);
}

/* --- the response ----------------------------------------------------------------------------- */

static void fail_status(struct attempt *a, const char *what)
{
    char problem[160];
    snprintf(problem, sizeof problem, "it answered %u%s", a->status, what);
    attempt_fail(a, a->status >= 500 ? RESULT_STATUS_5XX : RESULT_STATUS_4XX, FAULT_UPSTREAM,
                 problem);
}

bool attempt_on_head(struct attempt *a, const struct http_head *head)
{
    struct exchange *x = a->x;
    struct span id = SPAN_NONE;
    a->status = head->status;
    a->head_us = clock_us();
    become(a, ATTEMPT_STREAMING);
    arm(a, a->target->provider->idle_timeout_ms);

    struct span relayed = answer_forwardable(head, attempt_secret(a), &id);
    a->relayed = arena_keep(&x->sending, relayed);
    a->upstream_request_id = arena_keep(&x->arena, span_sub(id, 0, 128));
    if (head->status == 401 && a->provider->token != NULL)
        access_token_forget(a->provider->token, a->bearer);
    if (head->status >= 300 && head->status < 400) {
        fail_status(a, ", a redirect, which is not followed: check its base_url");
        return false;
    }
    if (!unwrap_open(a, head))
        return false;
    lane_open(a, head);
    return a->state == ATTEMPT_STREAMING;
}

void attempt_on_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    if (!a->paused)
        arm(a, a->target->provider->idle_timeout_ms);
    unwrap_data(a, spans, n, last);
}

void attempt_on_broken(struct attempt *a, const char *problem)
{
    if (a->state == ATTEMPT_STREAMING && lane_broken(a))
        return;
    attempt_fail(a, RESULT_BROKEN, FAULT_UPSTREAM, problem);
}
