// Watches the page that `rpclab app` serves from outside its widgets, so that it is never silently dead. On a busy machine Voilà
// may draw before the widgets have come, and then says "model not found": loaded again, they are there.

(() => {
  const SHOWS_WITHIN_S = 60, TRIES = 3, KEY = "rpclab-loaded-again";
  const shown = () => document.querySelector(".rpclab-dashboard .rpclab-node, #rendered_cells [role=alert]");
  const failed = () => [...document.querySelectorAll(".jp-OutputArea-output")].find((each) => each.textContent.startsWith("Error displaying widget"));
  const tried = () => Number(sessionStorage.getItem(KEY) ?? 0);
  let complete = null, told = null;

  const again = () => {
    sessionStorage.setItem(KEY, tried() + 1);
    location.reload();
  };
  const tell = (text) => {
    if (told) return;
    told = document.createElement("div");
    told.setAttribute("role", "alert");
    told.className = "rpclab-dead-page";
    told.style.cssText = "position: relative; z-index: 10; margin: 1em; padding: 1em; border: 1px solid; color: CanvasText; background: Canvas; font: 14px sans-serif";
    const button = document.createElement("button");
    button.textContent = "Load the page again";
    button.style.marginLeft = "1em";
    button.addEventListener("click", () => { sessionStorage.removeItem(KEY); location.reload(); });
    told.append(text, button);
    document.body.prepend(told);
  };
  const watch = setInterval(() => {
    if (document.readyState === "complete") complete ??= performance.now();
    if (shown()) {
      clearInterval(watch);
      sessionStorage.removeItem(KEY);
      told?.remove();
    } else if (failed()) {
      if (tried() < TRIES) { clearInterval(watch); again(); }
      else tell(`The page's widgets did not come, in ${TRIES + 1} tries. The machine may be too busy: try again in a while. The cluster runs on.`);
    } else if (complete !== null && performance.now() - complete > SHOWS_WITHIN_S * 1000) {
      tell(`The page did not come up within ${SHOWS_WITHIN_S} s. If rpclab app still runs in its terminal, load it again; if not, start it again.`);
    }
  }, 200);
})();
