// Vercel AI SDK against local servers: node vercel.mjs MODELS SINK, in a directory with requirements/vercel.json installed.
import { createOpenAI } from "@ai-sdk/openai";
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { embed, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const [models, sink] = process.argv.slice(2);
const exporter = new OTLPTraceExporter({ url: `${sink}/v1/traces` });
const resource = resourceFromAttributes({ "service.name": "harbour" });
const provider = new NodeTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(exporter)] });
provider.register();

const openai = createOpenAI({ baseURL: `${models}/v1`, apiKey: "sk-fake" });
const experimental_telemetry = {
  isEnabled: true,
  functionId: "timetable",
  metadata: { sessionId: "s-1", userId: "u-1", tags: ["beta"], plan: "pro" },
};
const common = { model: openai.chat("gpt-fake"), maxRetries: 0, experimental_telemetry };

await generateText({ ...common, system: "Be brief.", prompt: "When does the ferry leave?", temperature: 0.2, maxOutputTokens: 64 });
const stream = streamText({ ...common, prompt: "Is the ferry on time?" });
for await (const part of stream.textStream) void part;
await generateText({
  ...common,
  prompt: "What does a ticket to the island cost?",
  stopWhen: stepCountIs(2),
  tools: {
    lookup_price: tool({
      description: "Price of a ticket for a route",
      inputSchema: z.object({ route: z.string() }),
      execute: async () => "12 euro",
    }),
  },
});
await embed({ model: openai.textEmbeddingModel("embed-fake"), value: "harbour timetable", experimental_telemetry });
try {
  await generateText({ ...common, model: openai.chat("missing-model"), prompt: "When does the ferry leave?" });
} catch (error) {
  console.log(`refused as it should be: ${error.name}`);
}
await provider.forceFlush();
trace.disable();
