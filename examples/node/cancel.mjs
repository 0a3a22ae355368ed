// Leaving a stream early: aborting it ends the provider's request in the same moment.
import { model, openai } from "./gateway.mjs";

const stream = await openai.chat.completions.create({
  model,
  messages: [{ role: "user", content: "Count to a thousand." }],
  stream: true,
});
let chunks = 0;
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
  if (++chunks === 5) stream.controller.abort();
}
console.log(`\nleft after ${chunks} chunks; the access log says client_gone`);
