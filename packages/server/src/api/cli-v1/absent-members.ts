import { leaveOutNulls, withoutNullsInAnswer } from '@flux/contract/cli-v1/absence';
import type { Router } from '../router.ts';

/** A router whose answers leave out every member without a value: existing clients refuse a null where they read a text. */
export function withoutNullAnswers(router: Router): Router {
  return {
    json: (route, handler) => router.json(withoutNullsInAnswer(route), async (call) => sent(await handler(call))),
    work: (route, handler) =>
      router.work(withoutNullsInAnswer(route), async (call) => {
        const outcome = await handler(call);
        return 'operation' in outcome
          ? { operation: leaveOutNulls(outcome.operation) as { readonly id: string } }
          : { done: sent(outcome.done) };
      }),
    raw: router.raw,
  };
}

/** Handlers are written for the schemas of our own API, whose members may be null; those of the adapter are the same without nulls. */
function sent<Body>(answer: Body): Body {
  return leaveOutNulls(answer) as Body;
}
