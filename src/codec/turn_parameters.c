#include "sluice/codec/turn_request.h"

#include "sluice/config/capabilities.h"

static void leave_out_reasoning(struct turn_request *r)
{
    r->effort = EFFORT_UNSAID;
    r->thinking_budget = SPAN_NONE;
    r->thinking_is_adaptive = r->thinking_is_hidden = false;
}

static void leave_out_format(struct turn_request *r, enum turn_format format)
{
    if (r->format == format)
        r->format = FORMAT_UNSAID;
}

static void leave_out_web(struct turn_request *r, enum web_kind kind)
{
    struct turn_tool **link = &r->tools;
    while (*link != NULL) {
        struct turn_tool *t = *link;
        if (t->web != NULL && t->web->kind == kind) {
            *link = t->next;
            r->ntools--;
        } else {
            link = &t->next;
        }
    }
}

static void leave_out(struct turn_request *r, enum capability param)
{
    switch (param) {
    case CAN_TOOLS:
    case CAN_CHOOSE_TOOLS:
        break;
    case CAN_CALL_IN_PARALLEL:
        r->parallel = PARALLEL_UNSAID;
        break;
    case CAN_WRITE_JSON:
        leave_out_format(r, FORMAT_JSON);
        break;
    case CAN_FOLLOW_SCHEMAS:
        leave_out_format(r, FORMAT_SCHEMA);
        break;
    case CAN_REASON:
        leave_out_reasoning(r);
        break;
    case CAN_TEMPERATURE:
        r->temperature = SPAN_NONE;
        break;
    case CAN_TOP_P:
        r->top_p = SPAN_NONE;
        break;
    case CAN_TOP_K:
        r->top_k = SPAN_NONE;
        break;
    case CAN_PRESENCE_PENALTY:
        r->presence_penalty = SPAN_NONE;
        break;
    case CAN_FREQUENCY_PENALTY:
        r->frequency_penalty = SPAN_NONE;
        break;
    case CAN_SEED:
        r->seed = SPAN_NONE;
        break;
    case CAN_STOP:
        r->stop = SPAN_NONE;
        break;
    case CAN_LOGPROBS:
        r->logprobs = SPAN_NONE;
        break;
    case CAN_TOP_LOGPROBS:
        r->top_logprobs = SPAN_NONE;
        break;
    case CAN_LOGIT_BIAS:
        r->logit_bias = SPAN_NONE;
        break;
    case CAN_SEARCH:
        leave_out_web(r, WEB_SEARCH);
        break;
    case CAN_FETCH:
        leave_out_web(r, WEB_FETCH);
        break;
    }
}

void turn_note_parameters(struct turn_notes *notes, unsigned params)
{
    for (unsigned bit = 0; bit < CAPABILITIES; bit++) {
        if ((params & 1u << bit) != 0)
            turn_note_dropped(notes, capability_name(bit));
    }
}

void turn_request_leave_out(struct turn_request *r, unsigned params, struct turn_notes *notes)
{
    for (unsigned bit = 0; bit < CAPABILITIES; bit++) {
        if ((params & 1u << bit) != 0)
            leave_out(r, (enum capability)(1u << bit));
    }
    turn_note_parameters(notes, params);
}
