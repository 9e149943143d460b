// Sets the theme before anything is drawn. A file of its own, because no inline script may run.
(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("stanch.theme");
  } catch {
    // A browser that keeps nothing follows the system.
  }
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = kept === "light" || kept === "dark" ? kept : light ? "light" : "dark";
})();
