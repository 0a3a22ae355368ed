"""Where the gateway is. Everything else is OpenAI's SDK as it comes."""
import os

from openai import AsyncOpenAI, OpenAI

WHERE = {"base_url": os.environ.get("SLUICE_BASE_URL", "http://127.0.0.1:4000/v1"),
         "api_key": os.environ.get("SLUICE_API_KEY", "sk-local")}
MODEL = os.environ.get("SLUICE_MODEL", "sluice/demo")


def client(**options) -> OpenAI:
    return OpenAI(**WHERE, **options)


def async_client(**options) -> AsyncOpenAI:
    return AsyncOpenAI(**WHERE, **options)
