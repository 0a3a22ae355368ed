import OpenAI from "openai";

export const model = process.env.SLUICE_MODEL ?? "sluice/demo";

export const openai = new OpenAI({
  baseURL: process.env.SLUICE_BASE_URL ?? "http://127.0.0.1:4000/v1",
  apiKey: process.env.SLUICE_API_KEY ?? "sk-local",
});
