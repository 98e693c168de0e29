/** Version of the control plane. */
export const VERSION = '0.1.0';
