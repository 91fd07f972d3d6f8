// The marketing map: outlines, outlets, companies and a radius. Counting and listing are the server's; this only draws.
import { colour, loadEcharts, tip, tooltip } from "./charts.js";

const root = document.querySelector("[data-map]");
const METRES_PER_DEGREE = 111_320;

function ring(lon, lat, radius) {
  const east = radius / (METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180));
  const north = radius / METRES_PER_DEGREE;
  return Array.from({ length: 73 }, (_, i) => {
    const angle = (i * Math.PI) / 36;
    return [lon + east * Math.cos(angle), lat + north * Math.sin(angle)];
  });
}

function metres(a, b) {
  const rad = Math.PI / 180;
  const s =
    Math.sin(((b[1] - a[1]) * rad) / 2) ** 2 +
    Math.cos(a[1] * rad) * Math.cos(b[1] * rad) * Math.sin(((b[0] - a[0]) * rad) / 2) ** 2;
  return 12_742_000 * Math.asin(Math.sqrt(s));
}

async function start() {
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const echarts = await loadEcharts();
  const form = document.getElementById("map-form");
  const state = { lon: Number(form.lon.value), lat: Number(form.lat.value), radius: Number(form.radius_m.value) };
  const shown = { customers: true, prospects: true, parks: false };
  let chart;

  function outline() {
    return {
      type: "FeatureCollection",
      features: data.districts.map((one) => ({
        type: "Feature",
        properties: { name: one.name, cp: one.centre },
        geometry: { type: "Polygon", coordinates: [one.outline] },
      })),
    };
  }

  function points(kind) {
    if (!shown[kind]) return [];
    return data[kind].map((one) => {
      const near = metres([state.lon, state.lat], one) <= state.radius;
      return { value: one, name: one[3], symbolSize: near ? 4 + (one[2] ?? 0) / 20 : 4, itemStyle: { opacity: near ? 0.9 : 0.3 } };
    });
  }

  function series() {
    return [
      {
        id: "names",
        type: "scatter",
        coordinateSystem: "geo",
        silent: true,
        symbolSize: 0.1,
        z: 6,
        label: { show: true, formatter: "{b}", color: colour("ink-soft"), fontSize: 12, textBorderColor: colour("land"), textBorderWidth: 3 },
        // Names of small districts give way to each other instead of lying on top of one another.
        labelLayout: { hideOverlap: true },
        data: data.districts.map((one) => ({ name: one.name, value: one.centre })),
      },
      {
        id: "ring",
        type: "custom",
        coordinateSystem: "geo",
        silent: true,
        z: 2,
        data: [0],
        renderItem: (_, api) => ({
          type: "polygon",
          shape: { points: ring(state.lon, state.lat, state.radius).map((place) => api.coord(place)) },
          style: { fill: `${colour("series-1")}22`, stroke: colour("series-1"), lineWidth: 1.6, lineDash: [6, 5] },
        }),
      },
      { id: "parks", type: "scatter", coordinateSystem: "geo", symbol: "rect", symbolSize: 9, z: 3, itemStyle: { color: colour("series-5") }, data: shown.parks ? data.parks.map((one) => ({ value: one, name: one[3] })) : [] },
      { id: "prospects", type: "scatter", coordinateSystem: "geo", z: 5, itemStyle: { color: colour("series-2"), borderColor: colour("surface"), borderWidth: 0.8 }, data: points("prospects") },
      { id: "customers", type: "scatter", coordinateSystem: "geo", z: 4, itemStyle: { color: colour("series-1"), borderColor: colour("surface"), borderWidth: 0.8 }, data: points("customers") },
      {
        id: "outlets",
        type: "scatter",
        coordinateSystem: "geo",
        symbol: "pin",
        symbolSize: 32,
        z: 8,
        itemStyle: { color: colour("series-4") },
        label: { show: true, position: "right", formatter: "{b}", color: colour("ink"), fontWeight: 600, fontSize: 12, backgroundColor: colour("surface"), padding: [2, 5], borderRadius: 4 },
        labelLayout: { hideOverlap: true },
        data: data.outlets.map((one) => ({ value: one, name: one[3] })),
      },
    ];
  }

  function draw() {
    chart?.dispose();
    echarts.registerMap("districts", outline());
    chart = echarts.init(root.querySelector(".map-canvas"), null, { renderer: "canvas" });
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      tooltip: { ...tooltip(), formatter: (p) => tip(p.name, p.seriesId === "outlets" ? [["网点", "点击设为圆心"]] : p.value?.[2] ? [["优先级", Math.round(p.value[2])]] : []) },
      geo: {
        map: "districts",
        aspectScale: Math.cos((state.lat * Math.PI) / 180),
        roam: true,
        scaleLimit: { min: 0.8, max: 24 },
        center: [state.lon, state.lat],
        zoom: data.zoom,
        itemStyle: { areaColor: colour("land"), borderColor: colour("land-line"), borderWidth: 1 },
        label: { show: false },
        emphasis: { disabled: true },
        select: { disabled: true },
      },
      series: series(),
    });
    chart.on("click", (event) => {
      if (event.seriesId === "outlets") centre(event.value[0], event.value[1], event.value[4]);
      else if (event.seriesId === "parks") centre(event.value[0], event.value[1], "");
      else if (event.value?.[4]) location.assign(`/companies/${event.value[4]}`);
    });
  }

  function redraw() {
    chart.setOption({ series: series() });
  }

  function centre(lon, lat, outlet) {
    Object.assign(state, { lon, lat });
    form.lon.value = lon;
    form.lat.value = lat;
    form.outlet.value = outlet ?? "";
    redraw();
    ask();
  }

  let waiting;
  function ask() {
    clearTimeout(waiting);
    waiting = setTimeout(() => window.htmx.trigger(form, "choose"), 160);
  }

  form.radius_m.addEventListener("input", () => {
    state.radius = Number(form.radius_m.value);
    form.querySelector("output").textContent = `${(state.radius / 1000).toFixed(1)} 公里`;
    redraw();
    ask();
  });
  form.outlet.addEventListener("change", () => {
    const found = data.outlets.find((one) => one[4] === form.outlet.value);
    if (!found) return;
    chart.setOption({ geo: { center: [found[0], found[1]] } });
    centre(found[0], found[1], found[4]);
  });
  document.querySelectorAll("[data-layer]").forEach((button) =>
    button.addEventListener("click", () => {
      shown[button.dataset.layer] = !shown[button.dataset.layer];
      button.setAttribute("aria-pressed", String(shown[button.dataset.layer]));
      redraw();
    }),
  );
  document.addEventListener("qiaomen:theme", draw);
  addEventListener("resize", () => chart.resize());
  draw();
}

if (root) start();
