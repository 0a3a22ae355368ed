// A function the model may call: it asks, we call, it goes on with the result.
import { model, openai } from "./gateway.mjs";

const tools = [{
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city, now.",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
}];
const getWeather = ({ city = "Oslo" }) => ({ city, celsius: -3, sky: "clear" });

const messages = [{ role: "user", content: "What is the weather in Oslo?" }];
let answer = await openai.chat.completions.create({ model, messages, tools });
while (answer.choices[0].finish_reason === "tool_calls") {
  const { message } = answer.choices[0];
  messages.push(message);
  for (const call of message.tool_calls) {
    const result = JSON.stringify(getWeather(JSON.parse(call.function.arguments)));
    console.log(`${call.function.name}(${call.function.arguments}) is ${result}`);
    messages.push({ role: "tool", tool_call_id: call.id, content: result });
  }
  answer = await openai.chat.completions.create({ model, messages, tools });
}
console.log(answer.choices[0].message.content);
