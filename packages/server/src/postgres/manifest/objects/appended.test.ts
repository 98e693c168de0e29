import { expect, it } from 'vitest';
import { splitAppended } from './appended.ts';

const trigger = 'CREATE TRIGGER t BEFORE INSERT ON public.o FOR EACH ROW EXECUTE FUNCTION f()';

it.each([
  ['enabled', trigger, ' [enabled: D]'],
  ['enabled', trigger, ''],
  ['enabled', "CREATE TRIGGER t AFTER INSERT ON public.o FOR EACH ROW EXECUTE FUNCTION f(' [enabled: D]')", ''],
  ['enabled', "CREATE TRIGGER t AFTER INSERT ON public.o FOR EACH ROW EXECUTE FUNCTION f(' [enabled: D]')", ' [enabled: A]'],
  ['target', 'CREATE STATISTICS public.s ON a, b FROM public.o', ' target 100'],
  ['target', 'CREATE STATISTICS public.s ON a, b FROM public." target 100"', ''],
] as const)('splits off what was appended (%s): %s%s', (what, statement, appended) => {
  expect(splitAppended(what, statement + appended)).toEqual({ statement, appended });
});
