// A streamed answer, and what it cost.
import { model, openai } from "./gateway.mjs";

const question = process.argv.slice(2).join(" ") || "Hello!";

const { data: stream, response } = await openai.chat.completions
  .create({
    model,
    messages: [{ role: "user", content: question }],
    stream: true,
    usage: { include: true }, // the gateway's own: usage and cost in the last chunk
  })
  .withResponse();

for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
  if (chunk.usage) {
    const { prompt_tokens, completion_tokens } = chunk.usage;
    console.log(`\n\n${prompt_tokens} + ${completion_tokens} tokens, $${chunk.cost}`);
  }
}
console.log("request", response.headers.get("x-request-id"));
console.log("timing", response.headers.get("server-timing"));
