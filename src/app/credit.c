#include "caller.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/base/digest.h"
#include "sluice/base/dollars.h"
#include "sluice/base/rng.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_scan.h"

/* Credits the account of a running gateway. Every credit has an id, so that who did not hear the answer can
 * ask again without crediting twice. */

enum { TIMEOUT_MS = 10000, ID_MAX = 255 };

struct order {
    const char *amount, *id, *note; /* note NULL: none */
    char made_id[2 * 16 + 1];
};

static bool take_order(const struct cli *cli, struct order *out)
{
    int64_t pd;
    const char *problem = dollars_read_signed(span_text(cli->args[0]), &pd);
    uint8_t random[16];
    *out = (struct order){
        .amount = cli->args[0], .id = cli_text(cli, "id"), .note = cli_text(cli, "note")};
    if (problem != NULL || pd == 0) {
        terminal_error("\"%.40s\" is no amount: %s", out->amount,
                       problem != NULL ? problem : "it is nothing");
        return false;
    }
    if (out->id != NULL && strlen(out->id) > ID_MAX) {
        terminal_error("--id is longer than %d bytes", ID_MAX);
        return false;
    }
    if (out->id == NULL) {
        rng_secret_bytes(random, sizeof random);
        digest_hex(random, sizeof random, out->made_id);
        out->id = out->made_id;
    }
    return true;
}

static int write_body(const struct order *order, struct buf *out)
{
    struct json_out o = json_out_to(out);
    json_out_lit(&o, "{\"amount_usd\":");
    json_out_bytes(&o, span_text(order->amount));
    json_out_lit(&o, ",\"credit_id\":");
    json_out_bytes(&o, span_text(order->id));
    if (order->note != NULL) {
        json_out_lit(&o, ",\"note\":");
        json_out_bytes(&o, span_text(order->note));
    }
    json_out_lit(&o, "}");
    return o.rc;
}

/* The token of an admin listener where there is one, else an admin's key. */
static bool find_key(const char **key)
{
    if (!caller_key("SLUICE_ADMIN_TOKEN", key))
        return false;
    return *key != NULL || caller_key("SLUICE_API_KEY", key);
}

static int refuse(unsigned status, struct span answer)
{
    char message[700] = "";
    long len = json_string(json_find(json_find(answer, "error"), "message"), message,
                           sizeof message - 1);
    message[len < 0 ? 0 : len] = '\0';
    if (message[0] != '\0')
        terminal_error("%s (%u)", message, status);
    else
        terminal_error("the answer is %u, and not from a sluice that keeps accounts", status);
    return status == 400 ? EXIT_USAGE : caller_exit_code(status);
}

static void print_credited(struct span answer, const struct order *order)
{
    struct span balance = json_find(answer, "credit_balance");
    if (json_is_true(json_find(answer, "repeated")))
        fprintf(stderr, "credited before under the id %s; nothing has changed\n", order->id);
    printf("balance  $%.*s\n", SPAN_FMT(balance));
}

static int tell(const struct cli *cli, const struct order *order, unsigned status,
                struct buf *answer)
{
    if (status != 200)
        return refuse(status, buf_span(answer));
    if (cli_flag(cli, "json"))
        printf("%.*s\n", SPAN_FMT(buf_span(answer)));
    else
        print_credited(buf_span(answer), order);
    return terminal_finish();
}

static int ask(const struct cli *cli, const struct order *order, struct span body)
{
    char path[300];
    const char *key;
    int code;
    unsigned status;
    struct buf answer = {0};
    struct err why = {0};
    if (!find_key(&key))
        return EXIT_USAGE;
    struct caller *c = caller_open(cli, &code);
    if (c == NULL)
        return code;
    snprintf(path, sizeof path, "%s/account/credit", caller_url(c)->prefix);
    const struct caller_request request = {"POST", path, key, body, TIMEOUT_MS};
    enum call_end end = caller_fetch(c, &request, &status, &answer, &why);
    if (end == CALL_ANSWERED) {
        code = tell(cli, order, status, &answer);
    } else {
        terminal_error("%s: %s\nNobody knows whether it was credited. Again with --id %s it is not "
                       "credited twice.",
                       caller_url_text(c), why.text, order->id);
        code = end == CALL_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
    }
    caller_close(c);
    buf_fini(&answer);
    return code;
}

int verb_credit(int argc, char **argv)
{
    struct cli cli;
    struct order order;
    struct buf body = {0};
    if (!cli_parse(&cli, "credit", argc, argv))
        return cli.status;
    if (!take_order(&cli, &order))
        return EXIT_USAGE;
    int code = EXIT_FAILED;
    if (write_body(&order, &body) == 0)
        code = ask(&cli, &order, buf_span(&body));
    buf_fini(&body);
    return code;
}
