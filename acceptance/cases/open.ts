/**
 * What is not right yet: the name of a test and what is wrong. Such a test has to fail; as soon as it passes, its line here is in the way
 * and goes.
 */
export const OPEN: Readonly<Record<string, string>> = {};
