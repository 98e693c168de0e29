declare module 'libpg-query/wasm/libpg-query.js' {
  /** The compiled parser with a memory of its own; numbers are addresses in it. */
  export interface ParserInstance {
    readonly HEAPU8: Uint8Array;
    lengthBytesUTF8(text: string): number;
    stringToUTF8(text: string, address: number, maxBytes: number): void;
    UTF8ToString(address: number): string;
    getValue(address: number, type: 'i32'): number;
    _malloc(bytes: number): number;
    _free(address: number): void;
    _wasm_parse_query_raw(query: number): number;
    _wasm_free_parse_result(result: number): void;
    _wasm_parse_plpgsql(query: number): number;
    _wasm_free_string(address: number): void;
  }
  const createInstance: () => Promise<ParserInstance>;
  export default createInstance;
}
