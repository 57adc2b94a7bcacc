// The dashboards' charts. Every part leads to the recordings behind it.
const charts = JSON.parse(document.getElementById("chart-data").textContent);
const C = { met: "#3a9a68", partial: "#dba32f", missing: "#cc5a52", brand: "#1f4e6b", ink: "#1d2a35", soft: "#55636f", line: "#e3e8ec" };
const text = { fontFamily: getComputedStyle(document.body).fontFamily, color: C.ink, fontSize: 12.5 };
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

function draw(id, option) {
  const place = document.getElementById(id);
  if (!place) return;
  const chart = echarts.init(place, null, { renderer: "svg" });
  chart.setOption({ textStyle: text, animation: !still, animationDuration: 300, ...option });
  chart.on("click", (part) => { if (part.data?.link) location.href = part.data.link; });
  new ResizeObserver(() => chart.resize()).observe(place);
}

const axis = { axisLine: { lineStyle: { color: C.line } }, axisTick: { show: false }, axisLabel: { color: C.soft }, splitLine: { lineStyle: { color: C.line } } };
const bar = (name, key, color, rows) => ({
  name, type: "bar", stack: "all", color, barWidth: 13, cursor: "pointer",
  data: rows.map((row) => ({ value: row[key], link: row.link })),
});

const elements = [...charts.elements].reverse();
draw("elements", {
  grid: { left: 8, right: 44, top: 6, bottom: 28, containLabel: true },
  tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: (value) => `${value}%` },
  legend: { bottom: 0, itemWidth: 11, itemHeight: 11, textStyle: { color: C.soft } },
  xAxis: { type: "value", max: 100, show: false },
  yAxis: { type: "category", data: elements.map((row) => row.title), ...axis, axisLine: { show: false }, axisLabel: { color: C.ink } },
  series: [
    { ...bar("做到", "rate", C.met, elements) }, { ...bar("部分做到", "partial", C.partial, elements) },
    { ...bar("缺失", "missing", C.missing, elements), label: { show: true, position: "right", color: C.soft, formatter: (p) => `${elements[p.dataIndex].rate}%` } },
  ],
});

draw("trend", {
  grid: { left: 8, right: 12, top: 30, bottom: 6, containLabel: true },
  tooltip: { trigger: "axis" }, legend: { top: 0, itemWidth: 14, itemHeight: 8, textStyle: { color: C.soft } },
  xAxis: { type: "category", data: charts.trend.map((row) => row.on.slice(5)), ...axis },
  yAxis: { type: "value", min: (v) => Math.max(0, Math.floor(v.min / 10) * 10 - 10), max: 100, ...axis },
  series: [["话术得分", "score", C.brand], ["要素做到率", "met", C.met], ["满意率", "satisfied", C.partial]].map(([name, key, color]) => ({
    name, type: "line", color, symbolSize: 7, connectNulls: true, cursor: "pointer", data: charts.trend.map((row) => ({ value: row[key], link: row.link })),
  })),
});

const levels = { good: ["良好", C.met], minor: ["轻微问题", C.partial], serious: ["严重问题", C.missing] };
draw("attitudes", {
  tooltip: {}, series: [{
    type: "pie", radius: ["48%", "72%"], cursor: "pointer", label: { formatter: "{b}\n{d}%", color: C.ink }, labelLine: { length: 8, length2: 6 },
    data: charts.attitudes.filter((row) => row.calls).map((row) => ({ name: levels[row.level][0], value: row.calls, link: row.link, itemStyle: { color: levels[row.level][1] } })),
  }],
});

const across = (rows, key, color) => ({
  grid: { left: 4, right: 40, top: 4, bottom: 4, containLabel: true }, tooltip: {},
  xAxis: { type: "value", show: false }, yAxis: { type: "category", data: rows.map((row) => row.title), ...axis, axisLine: { show: false }, axisLabel: { color: C.ink } },
  series: [{ type: "bar", color, barWidth: 14, cursor: "pointer", label: { show: true, position: "right", color: C.soft }, data: rows.map((row) => ({ value: row[key], link: row.link })) }],
});
draw("causes", across(charts.causes.filter((row) => row.title !== "未注明" || row.orders).reverse(), "orders", C.brand));
draw("rules", across([...charts.behaviours.rules].reverse(), "calls", C.missing));

const { weeks, departments, cells } = charts.behaviours;
draw("weeks", {
  grid: { left: 8, right: 8, top: 8, bottom: 44, containLabel: true },
  tooltip: { formatter: (p) => `${departments[p.data.value[1]]}<br>${weeks[p.data.value[0]]} 起一周：${p.data.value[2]} 项` },
  xAxis: { type: "category", data: weeks.map((week) => week.slice(5)), ...axis, splitArea: { show: true } },
  yAxis: { type: "category", data: departments, ...axis, axisLabel: { color: C.ink } },
  visualMap: { min: 0, max: Math.max(1, ...cells.map((cell) => cell.calls)), orient: "horizontal", left: "center", bottom: 0, itemHeight: 90, itemWidth: 11, textStyle: { color: C.soft }, inRange: { color: ["#fbe9e7", "#cc5a52", "#8c1b15"] } },
  series: [{ type: "heatmap", cursor: "pointer", label: { show: cells.length < 120 }, itemStyle: { borderColor: "#fff", borderWidth: 2, borderRadius: 3 }, data: cells.map((cell) => ({ value: [cell.week, cell.department, cell.calls], link: cell.link })) }],
});
