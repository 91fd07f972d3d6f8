// Draws the data blocks of `figure[data-chart]` with ECharts in the colours of the theme; loads ECharts only if needed.
const drawn = new Map();

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function loadEcharts() {
  if (window.echarts) return Promise.resolve(window.echarts);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("../vendor/echarts.min.js", import.meta.url).href;
    script.onload = () => resolve(window.echarts);
    script.onerror = reject;
    document.head.append(script);
  });
}

function palette() {
  return [1, 2, 3, 4, 5, 6].map((n) => colour(`series-${n}`));
}

export function tip(title, lines) {
  const box = document.createElement("div");
  box.className = "chart-tip";
  const head = document.createElement("b");
  head.textContent = title;
  box.append(head);
  for (const [name, value] of lines) {
    const line = document.createElement("span");
    const left = document.createElement("i");
    left.textContent = name;
    const right = document.createElement("b");
    right.textContent = value;
    line.append(left, right);
    box.append(line);
  }
  return box;
}

export function tooltip() {
  return { backgroundColor: colour("surface"), borderColor: colour("line"), textStyle: { color: colour("ink") }, confine: true };
}

function axisStyle() {
  return {
    axisLine: { lineStyle: { color: colour("line") } },
    axisTick: { show: false },
    axisLabel: { color: colour("ink-soft"), fontSize: 12 },
    splitLine: { lineStyle: { color: colour("line"), opacity: 0.7 } },
  };
}

function lineOption(data) {
  const bars = data.kind === "bar";
  return {
    legend: data.series.length > 1 ? { right: 0, top: 0, icon: "roundRect", itemWidth: 12, itemHeight: 4, textStyle: { color: colour("ink-soft") } } : undefined,
    grid: { left: 4, right: 10, top: data.series.length > 1 ? 34 : 14, bottom: 2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    tooltip: {
      ...tooltip(),
      trigger: "axis",
      formatter: (points) => tip(points[0].name, points.map((p) => [p.seriesName, `${p.value?.toLocaleString() ?? "无数据"} ${data.unit}`])),
    },
    xAxis: { type: "category", data: data.labels, boundaryGap: bars, ...axisStyle() },
    yAxis: { type: "value", minInterval: 1, ...axisStyle() },
    series: data.series.map((one) => ({
      name: one.name,
      type: bars ? "bar" : "line",
      data: one.values,
      showSymbol: false,
      barMaxWidth: 26,
      itemStyle: bars ? { borderRadius: [3, 3, 0, 0] } : undefined,
      lineStyle: { width: 2 },
      areaStyle: bars || data.series.length > 1 ? undefined : { opacity: 0.08 },
    })),
  };
}

function flowOption(data) {
  const stages = { upstream: "series-1", midstream: "series-4", downstream: "series-3" };
  return {
    tooltip: {
      ...tooltip(),
      formatter: (p) =>
        p.dataType === "edge"
          ? tip(`${p.data.source} → ${p.data.target}`, [["供货关系", `${p.data.value.toLocaleString()} ${data.unit}`]])
          : tip(p.name, [["合计", `${p.value.toLocaleString()} ${data.unit}`]]),
    },
    series: [
      {
        type: "sankey",
        left: 4,
        right: 104,
        top: 8,
        bottom: 8,
        nodeWidth: 12,
        nodeGap: 12,
        draggable: false,
        layoutIterations: 64,
        lineStyle: { color: "gradient", opacity: 0.28, curveness: 0.5 },
        label: { color: colour("ink"), fontSize: 12 },
        emphasis: { focus: "adjacency" },
        data: data.nodes.map(([name, stage]) => ({ name, itemStyle: { color: colour(stages[stage] ?? "series-6") } })),
        links: data.links.map(([source, target, value]) => ({ source, target, value })),
      },
    ],
  };
}

const options = { line: lineOption, bar: lineOption, flow: flowOption };

function draw(echarts, figure) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  let canvas = figure.querySelector(".chart-canvas");
  if (!canvas) {
    canvas = document.createElement("div");
    canvas.className = "chart-canvas";
    canvas.style.height = "100%";
    figure.append(canvas);
  }
  drawn.get(figure)?.dispose();
  const chart = echarts.init(canvas, null, { renderer: "canvas" });
  chart.setOption({
    animation: !navigator.webdriver && !matchMedia("(prefers-reduced-motion: reduce)").matches,
    color: palette(),
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    ...options[data.kind](data),
  });
  drawn.set(figure, chart);
}

export async function drawCharts() {
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  if (!figures.length) return;
  const echarts = await loadEcharts();
  figures.filter((figure) => !drawn.has(figure)).forEach((figure) => draw(echarts, figure));
}

document.addEventListener("qiaomen:theme", () => {
  for (const figure of drawn.keys()) draw(window.echarts, figure);
});
addEventListener("resize", () => drawn.forEach((chart) => chart.resize()));
