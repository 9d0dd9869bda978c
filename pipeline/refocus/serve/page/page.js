// Plays the video at a pick or at a place on a curve, and shows on the curves where the video is.
(() => {
  const INSIDE_THE_FRAME = 0.001; // seconds: players round, and the frame before is not the one that was picked
  const player = () => document.querySelector("#rf-video video");

  const play = (seconds) => {
    const video = player();
    if (!video) return;
    video.currentTime = seconds + INSIDE_THE_FRAME;
    video.play().catch(() => {}); // a browser that cannot play it has said so by an error event
    video.scrollIntoView({ block: "nearest", behavior: "smooth" });
  };

  document.addEventListener("click", (event) => {
    const pick = event.target.closest("[data-seek]");
    const curve = event.target.closest("[data-time]");
    document.querySelectorAll(".rf-playing").forEach((other) => other.classList.remove("rf-playing"));
    if (pick) {
      pick.classList.add("rf-playing");
      play(Number(pick.dataset.seek));
    } else if (curve) {
      const box = curve.getBoundingClientRect();
      const length = Number(curve.closest("[data-length]").dataset.length);
      play(Math.max(0, (event.clientX - box.left) / box.width) * length);
    }
  });

  const light = (event, on) => {
    const pick = event.target.closest && event.target.closest("[data-mark]");
    if (pick) document.getElementById(pick.dataset.mark)?.classList.toggle("rf-on", on);
  };
  for (const [name, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]])
    document.addEventListener(name, (event) => light(event, on));

  // Events of media do not bubble, so they are caught on their way down.
  document.addEventListener("timeupdate", (event) => {
    const results = document.querySelector(".rf-results");
    if (event.target !== player() || !results) return;
    const place = (100 * event.target.currentTime) / Number(results.dataset.length);
    results.querySelectorAll(".rf-playhead").forEach((line) => {
      line.style.display = "block";
      line.style.left = `${Math.min(100, place)}%`;
    });
  }, true);
  const playable = (event, yes) => {
    const note = document.getElementById("rf-cannot-play");
    if (note && event.target === player()) note.style.display = yes ? "none" : "block";
  };
  document.addEventListener("error", (event) => playable(event, false), true);
  document.addEventListener("loadedmetadata", (event) => playable(event, true), true);
})();
