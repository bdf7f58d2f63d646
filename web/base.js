// Where the server's root is, as the browser sees it: all addresses begin there, also below a proxy's path.

export const base = new URL('..', import.meta.url).pathname;
