// The call page: sound, waveform and words move together; keys go from finding to finding.
const data = JSON.parse(document.getElementById("call-data")?.textContent ?? "null");
const COLOURS = { missing: "rgba(204, 90, 82, .38)", partial: "rgba(219, 163, 47, .34)", signal: "rgba(138, 104, 189, .30)" };
const STEP = 3; // seconds that an arrow key goes
const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
const turns = [...document.querySelectorAll(".turn[data-start]")].map((element) => ({
  element, start: Number(element.dataset.start), end: Number(element.dataset.end),
}));
let sound = null;

// Everything on the page can be used: what benchmarks and tests wait for.
function ready() {
  performance.mark("ready");
  document.body.dataset.ready = "yes";
}

function openSound() {
  const play = document.getElementById("play");
  if (!play || !window.WaveSurfer) return null;
  const marks = WaveSurfer.Regions.create();
  const wave = WaveSurfer.create({
    container: "#waveform", height: 64, url: data.url, peaks: [data.peaks.length ? data.peaks : [0, 0]],
    duration: data.seconds, waveColor: "#9db4c4", progressColor: "#1f4e6b", cursorColor: "#a3211a",
    barWidth: 2, barGap: 1, barRadius: 1, normalize: true, plugins: [marks],
  });
  wave.on("ready", () => {
    for (const { id, start, end, tone } of data.regions)
      marks.addRegion({ id, start, end: Math.max(end, start + data.seconds / 200), color: COLOURS[tone] ?? COLOURS.partial, drag: false, resize: false });
    play.disabled = false;
    ready();
  });
  marks.on("region-clicked", (region, event) => { event.stopPropagation(); choose(document.getElementById(`f-${region.id}`)); playFrom(region.start); });
  wave.on("play", () => { play.textContent = "❚❚"; play.setAttribute("aria-label", "暂停"); });
  wave.on("pause", () => { play.textContent = "▶"; play.setAttribute("aria-label", "播放"); });
  wave.on("timeupdate", follow);
  play.addEventListener("click", () => wave.playPause());
  document.getElementById("speed").addEventListener("change", (event) => wave.setPlaybackRate(Number(event.target.value)));
  return wave;
}

function follow(seconds) {
  document.getElementById("now").textContent = clock(seconds);
  const now = turns.findLast((turn) => turn.start <= seconds + 0.05);
  const old = document.querySelector(".turn.now");
  if (old === (now?.element ?? null)) return;
  old?.classList.remove("now");
  if (!now) return;
  now.element.classList.add("now");
  if (sound.isPlaying()) bringToView(now.element);
}

function bringToView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  if (top < 190 || bottom > innerHeight - 40) element.scrollIntoView({ block: "center", behavior: "smooth" });
}

function playFrom(seconds) {
  if (!sound) return;
  sound.setTime(Math.max(0, seconds - 0.3));
  sound.play();
}

const findings = () => [...document.querySelectorAll(".finding[data-finding]:not(.signal)")];
const chosen = () => document.querySelector(".finding.chosen");

function choose(finding) {
  if (!finding) return;
  document.querySelectorAll(".chosen").forEach((element) => element.classList.remove("chosen"));
  finding.classList.add("chosen");
  finding.focus({ preventScroll: true });
  bringToView(finding);
  const turn = document.getElementById(`t${finding.dataset.turn}`);
  turn?.classList.add("chosen");
  if (turn && getComputedStyle(turn.closest(".call")).gridTemplateColumns.includes(" ")) bringToView(turn);
  if (finding.dataset.start && sound && !sound.isPlaying()) sound.setTime(Number(finding.dataset.start));
}

function step(by) {
  const all = findings();
  const at = all.indexOf(chosen());
  choose(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))]);
}

function press(key) {
  const finding = chosen() ?? findings()[0];
  if (!finding) return;
  choose(finding);
  finding.querySelector(`[data-key="${key}"]`)?.click();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select") || document.querySelector("dialog[open]")) return;
  const actions = {
    j: () => step(1), k: () => step(-1), y: () => press("y"), x: () => press("x"), c: () => press("c"),
    "?": () => document.getElementById("keys").showModal(),
    " ": () => sound?.playPause(),
    ArrowLeft: () => sound?.setTime(Math.max(0, sound.getCurrentTime() - STEP)),
    ArrowRight: () => sound?.setTime(Math.min(data.seconds, sound.getCurrentTime() + STEP)),
  };
  const action = actions[event.key];
  if (!action || (event.key === " " && event.target.matches("button:not([data-seek]), a, summary"))) return;
  event.preventDefault();
  action();
}

document.addEventListener("click", (event) => {
  const seek = event.target.closest("[data-seek]");
  if (seek) playFrom(Number(seek.dataset.seek));
  const comment = event.target.closest("[data-comment]");
  if (comment) {
    const field = comment.closest("form").querySelector(".comment-field");
    field.hidden = !field.hidden;
    if (!field.hidden) field.querySelector("textarea").focus();
    return;
  }
  const finding = event.target.closest(".finding[data-finding]");
  if (finding && !event.target.closest("button, a, summary, textarea, select, label")) choose(finding);
});
document.addEventListener("keydown", onKey);

// After a decision the card comes back from the server: it stays the chosen one.
let last = null;
document.addEventListener("htmx:before:request", () => { last = chosen()?.id; });
document.addEventListener("htmx:after:swap", () => { const card = last && document.getElementById(last); if (card && !chosen()) choose(card); });

if (data) {
  sound = openSound();
  if (!sound) ready();
  const named = location.hash.startsWith("#f-") ? document.getElementById(location.hash.slice(1)) : null;
  if (named) choose(named);
}
