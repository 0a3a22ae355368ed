"""What the gateway's errors become in the SDK."""
import openai

from gateway import MODEL, client


def attempt(what: str, **request) -> None:
    try:
        stream = client(max_retries=0).chat.completions.create(
            messages=[{"role": "user", "content": "Hello!"}], **request)
        if request.get("stream"):
            for _ in stream:
                pass
        print(f"{what}: fine")
    except openai.RateLimitError as e:  # 429; the SDK waits and tries again by itself, unless told not to
        print(f"{what}: try again in {e.response.headers.get('retry-after')} s")
    except openai.APIStatusError as e:  # a status of 400 or more
        print(f"{what}: {type(e).__name__} {e.status_code} {e.body['type']}: {e.body['message']}")
        print("  request", e.response.headers.get("x-request-id"))
    except openai.APIConnectionError as e:
        print(f"{what}: no gateway there: {e.__cause__}")
    except openai.APIError as e:  # inside a stream that had begun
        print(f"{what}: the stream broke: {e.message}")


attempt("a request", model=MODEL)
attempt("a stream", model=MODEL, stream=True)
attempt("a model that does not exist", model="no/such-model")
attempt("a parameter of the wrong type", model=MODEL, extra_body={"stream_options": 1})
