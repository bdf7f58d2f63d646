// Runs before the page is drawn, so that it never flashes in the wrong theme: the one that the
// person chose last (kept in this browser, not in the address), or the system's.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem('keylight-theme');
  } catch {
    // Storage may be forbidden: then the system decides.
  }
  if (theme !== 'dark' && theme !== 'light')
    theme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
})();
