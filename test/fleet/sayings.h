/* sayings.h: what the fault proxy answers itself: every status and body that providers have failed with. */
#ifndef SLUICE_TEST_SAYINGS_H
#define SLUICE_TEST_SAYINGS_H

#include <stdbool.h>
#include <stddef.h>

struct saying {
    const char *name, *status, *type, *more, *body;
    bool cuts; /* the connection's end comes with it */
};

#define OVERLOADED \
    "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"not now\"}}"
#define PAGE "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
#define GOOD                                                                               \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\"," \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"good\"}," \
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1," \
    "\"total_tokens\":2}}"

static const struct saying sayings[] = {
    {"good", "200 OK", "application/json", "", GOOD, false},
    {"401", "401 Unauthorized", "application/json", "", OVERLOADED, false},
    {"404", "404 Not Found", "application/json", "", OVERLOADED, false},
    {"429", "429 Too Many Requests", "application/json", "Retry-After: 1\r\n", OVERLOADED, false},
    {"500", "500 Internal Server Error", "application/json", "", OVERLOADED, false},
    {"502", "502 Bad Gateway", "text/html", "", PAGE, true},
    {"503", "503 Service Unavailable", "application/json", "Retry-After: 1\r\n", OVERLOADED, true},
    {"529", "529 Overloaded", "application/json", "", OVERLOADED, false},
    {"error", "200 OK", "application/json", "", OVERLOADED, false}, /* in a 200 */
    {"page", "200 OK", "text/html", "", PAGE, false},
    {"nothing", "200 OK", "application/json", "", "", false},
    {"no-events", "200 OK", "text/event-stream", "", "", false},
    {"error-event", "200 OK", "text/event-stream", "", "event: error\ndata: " OVERLOADED "\n\n",
     false},
    /* raw: no type */
    {"garbage", NULL, NULL, NULL, "\x16\x03\x01 this is not HTTP\r\n\r\n", true},
    {"half-head", NULL, NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Type: applica", true},
    {"too-short", NULL, NULL, NULL,
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"id\":\"ch",
     true},
    {"too-long", NULL, NULL, NULL, /* half of it is beyond the length */
     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n" GOOD, true},
};

#endif
