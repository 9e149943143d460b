// Talks to the API: one client, one error shape.
import createClient, { type Middleware } from "openapi-fetch";
import type { paths } from "./schema";

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly mend: string,
  ) {
    super(message);
  }
}

/** The network or the server is gone: nothing was answered. */
export class Unreachable extends Error {
  constructor() {
    super("the server does not answer");
  }
}

const middleware: Middleware = {
  // The server takes changes by cookie only with this header, which other sites cannot set.
  onRequest({ request }) {
    request.headers.set("X-Stanch-Console", "1");
    return request;
  },
  onError() {
    return new Unreachable();
  },
};

export const api = createClient<paths>({ baseUrl: "/", credentials: "same-origin" });
api.use(middleware);

interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The data of an answer; throws what went wrong, in the words of the server. */
export async function ask<T>(asked: Promise<Answered<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok && data !== undefined) return data;
  throw refusal(response.status, error);
}

function refusal(status: number, error: unknown): Refused {
  const said = (error as { error?: { code?: string; message?: string; mend?: string } } | undefined)?.error;
  return new Refused(status, said?.code ?? `HTTP ${status}`, said?.message ?? "the server refused", said?.mend ?? "");
}

/** An answer that is no JSON of the API, asked for with our header, which a plain link cannot send. */
async function fetched(path: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { "X-Stanch-Console": "1" }, credentials: "same-origin" });
  } catch {
    throw new Unreachable();
  }
  if (!response.ok) throw refusal(response.status, await response.json().catch(() => undefined));
  return response;
}

/** Bytes as text, cut at a length that a page can show. */
export async function bytes(path: string, most: number): Promise<{ text: string; cut: boolean }> {
  const all = new Uint8Array(await (await fetched(path)).arrayBuffer());
  return { text: new TextDecoder().decode(all.subarray(0, most)), cut: all.length > most };
}

/** A file that the server made, under the name it gave. */
export async function file(path: string): Promise<{ name: string; content: Blob }> {
  const response = await fetched(path);
  const name = /filename="([\w.-]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  return { name: name ?? "stanch-export", content: await response.blob() };
}
