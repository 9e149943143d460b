// The flow as a Restate handler: three durable steps between its input and its output.
import * as restate from "@restatedev/restate-sdk";

const echo = process.env.ECHO;

const bench = restate.service({
  name: "bench",
  handlers: {
    flow: async (ctx, body) => {
      const hot = await ctx.run("condition", () => body.severity >= 3);
      if (!hot) return { host: body.host, score: 0, known: false };
      const mapped = await ctx.run("map", () => ({ host: body.host, score: body.severity * 10 }));
      const seen = await ctx.run("call", async () => {
        const answer = await fetch(echo, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(mapped),
        });
        return answer.json();
      });
      return { ...mapped, known: seen.known };
    },
  },
});

restate.serve({ services: [bench], port: Number(process.env.PORT) });
