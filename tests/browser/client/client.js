// Acts as Workspace does towards a backend: reads its documents, lays out a tab of an app, asks for the data of each
// widget across origins, and draws it. `client.show(...)` resolves when all is drawn.

const LIBRARIES = {
  plotly: ["plotly.js"],
  grid: ["ag-grid.js"],
  vega: ["vega.js", "vega-lite.js", "vega-embed.js"],
  markdown: ["markdown-it.js", "purify.js"],
};
const loaded = {};

function library(name) {
  const script = (file) =>
    new Promise((resolve, reject) => {
      const failed = () => reject(new Error(`The library ${file} is not installed.`));
      document.head.append(element("script", { src: `library/${file}`, onload: resolve, onerror: failed }));
    });
  // One after the other: vega-embed wants the two before it.
  loaded[name] ??= LIBRARIES[name].reduce((before, file) => before.then(() => script(file)), Promise.resolve());
  return loaded[name];
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// --- Asking -------------------------------------------------------------------------------------------------------

const POSTED = ["ssrm_table", "table_ssrm", "omni", "multi_file_viewer"];
const UNITS = { h: "Hours", d: "Date", w: "Date", M: "Month", y: "FullYear" };

function address(backend, endpoint) {
  return endpoint.includes("://") ? endpoint : `${backend.url.replace(/\/$/, "")}/${endpoint.replace(/^\//, "")}`;
}

function asText(value) {
  return value == null ? "" : Array.isArray(value) ? value.map(asText).join(",") : String(value);
}

function withQuery(target, values) {
  const url = new URL(target);
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, asText(value));
  return url.href;
}

async function ask(backend, target, body) {
  const headers = { "X-API-KEY": backend.key, ...(body && { "Content-Type": "application/json" }) };
  const answer = await fetch(target, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  const type = answer.headers.get("Content-Type") ?? "";
  const found = type.includes("json") ? await answer.json() : await answer.text();
  if (answer.status !== 200) throw new Error(`${answer.status}: ${found.detail ?? found.error ?? found}`);
  return found;
}

function picked(body, definition) {
  const keys = (definition.data?.dataKey ?? "").split(".").filter(Boolean);
  return keys.reduce((inner, key) => inner?.[key], body);
}

async function dataOf(widget, more = {}) {
  const { backend, definition, values } = widget;
  const target = address(backend, definition.endpoint);
  const body = POSTED.includes(widget.type)
    ? await ask(backend, target, { ...values, ...more })
    : await ask(backend, withQuery(target, { ...values, theme: backend.theme, ...more }));
  return picked(body, definition);
}

// `$currentDate-1w` becomes a day; all else stays.
function resolved(value) {
  const found = /^\$currentDate(?:([+-]\d+)([hdwMy]))?$/.exec(value);
  if (!found) return value;
  const day = new Date();
  const [, count, unit] = found;
  if (unit) day[`set${UNITS[unit]}`](day[`get${UNITS[unit]}`]() + count * (unit === "w" ? 7 : 1));
  return day.toLocaleDateString("sv");
}

function paramsOf(definition) {
  return (definition.params ?? []).flat().filter((param) => !["form", "button"].includes(param.type));
}

function groupsOf(app, item) {
  return (app.groups ?? []).filter((group) => group.paramName && (item.groups ?? []).includes(group.name));
}

function valuesOf(definition, item, app) {
  const values = Object.fromEntries(paramsOf(definition).map((param) => [param.paramName, resolved(param.value)]));
  const defaults = groupsOf(app, item).map((group) => [group.paramName, group.defaultValue]);
  for (const [name, value] of [...defaults, ...Object.entries(item.state?.params ?? {})])
    if (name in values && value !== undefined) values[name] = resolved(value);
  return values;
}

// --- Laying out ---------------------------------------------------------------------------------------------------

const PATIENCE = 30_000;
let widgets = [];

// Draws one tab of an app and returns what failed, as [{widget, message}].
async function show({ url, key, theme = "dark", app: name, tab: tabKey }) {
  const backend = { url, key, theme };
  document.documentElement.dataset.theme = theme;
  const [definitions, apps] = await documents(backend);
  const app = apps.find((one) => one.name === name);
  const { layout } = app.tabs[tabKey];
  const top = Math.min(...layout.map((item) => item.y));
  widgets = layout.map((item) => widgetOf(backend, definitions[item.i], item, app));
  const main = element("main");
  widgets.forEach((widget) => main.append(placed(widget, top)));
  document.body.replaceChildren(main);
  const failures = await Promise.all(widgets.map(draw));
  return failures.filter(Boolean);
}

function documents(backend) {
  return Promise.all(["widgets.json", "apps.json"].map((file) => ask(backend, address(backend, file))));
}

function widgetOf(backend, definition, item, app) {
  const type = definition ? (definition.type ?? definition.defaultViz ?? "table") : "missing";
  return { id: item.i, backend, definition, item, app, type, values: definition && valuesOf(definition, item, app) };
}

function placed(widget, top) {
  const { x, y, w, h } = widget.item;
  widget.place = element("section", { className: "widget" });
  widget.place.dataset.widget = widget.id;
  widget.place.style.gridArea = `${y - top + 1} / ${x + 1} / span ${h} / span ${w}`;
  return widget.place;
}

async function draw(widget) {
  const body = element("div", { className: "body" });
  widget.place.replaceChildren(heading(widget), body);
  widget.place.dataset.state = "drawing";
  try {
    await Promise.race([(DRAW[widget.type] ?? unknown)(widget, body), tooLong()]);
    widget.place.dataset.state = "drawn";
  } catch (error) {
    body.replaceChildren(element("p", { className: "failed", textContent: error.message }));
    widget.place.dataset.state = "failed";
    return { widget: widget.id, message: error.message };
  }
}

function tooLong() {
  const given = new Error(`Not drawn after ${PATIENCE / 1000} s.`);
  return new Promise((_, reject) => setTimeout(() => reject(given), PATIENCE));
}

function heading({ id, definition, type, values }) {
  const chips = paramsOf(definition ?? {})
    .filter((param) => param.show !== false)
    .map((param) => `${param.label ?? param.paramName}: ${asText(values[param.paramName]) || "–"}`);
  const said = [type, ...chips].join(" · ");
  const title = element("b", { textContent: definition?.name ?? id });
  return element("header", {}, title, element("span", { textContent: said }));
}

// Sets parameters as a click or a page does: in the widget itself and in all that share a group with it.
function setParams(widget, params) {
  const shared = groupsOf(widget.app, widget.item).filter((group) => group.paramName in params);
  const joined = (other) => shared.some((group) => other.item.groups?.includes(group.name));
  const concerned = widgets.filter((other) => other === widget || joined(other));
  return Promise.all(concerned.filter((other) => take(other, params)).map(draw));
}

function take({ values }, params) {
  const known = Object.entries(params).filter(([name]) => name in (values ?? {}));
  Object.assign(values ?? {}, Object.fromEntries(known));
  return known.length > 0;
}

function unknown(widget) {
  throw new Error(`A client can't draw the type ${widget.type}.`);
}

function missing(widget, body) {
  if (!/^(rich_note|navigation_bar$)/.test(widget.id)) throw new Error(`The backend has no widget ${widget.id}.`);
  body.append(element("p", { className: "note", textContent: "A widget of Workspace's own." }));
}

// --- Tables -------------------------------------------------------------------------------------------------------

const PAGE = 100;
const FILTERS = { number: "agNumberColumnFilter", date: "agDateColumnFilter", dateString: "agDateColumnFilter" };
const COLOURS = { backgroundColor: "var(--widget)", foregroundColor: "var(--text)" };
const GRID_LOOK = { fontSize: 12, spacing: 5, wrapperBorder: false, ...COLOURS };
const SHOWN_STATE = ["sort", "columnPinning", "columnOrder", "columnVisibility"];

const CONDITIONS = {
  eq: (value, rule) => value === rule.value,
  ne: (value, rule) => value !== rule.value,
  gt: (value, rule) => value > rule.value,
  lt: (value, rule) => value < rule.value,
  gte: (value, rule) => value >= rule.value,
  lte: (value, rule) => value <= rule.value,
  between: (value, rule) => value >= rule.range.min && value <= rule.range.max,
  contains: (value, rule) => String(value).includes(rule.value),
  notContains: (value, rule) => !String(value).includes(rule.value),
};

async function drawTable(widget, body) {
  const found = await dataOf(widget);
  const rows = turned(Array.isArray(found) ? found : [found], widget.definition);
  await grid(widget, body, columnsOf(widget, rows), { rowData: rows }, !rows.length);
}

// AG Grid's own paging by rows is not free; its endless scrolling asks the same questions.
async function drawPagedTable(widget, body) {
  const first = await dataOf(widget, { startRow: 0, endRow: 1, sortModel: [], filterModel: {} });
  const datasource = {
    async getRows(params) {
      const { startRow, endRow, sortModel, filterModel } = params;
      try {
        const { rowData, rowCount } = await dataOf(widget, { startRow, endRow, sortModel, filterModel });
        params.successCallback(rowData, rowCount);
      } catch (error) {
        params.failCallback();
        widget.place.append(element("p", { className: "failed", textContent: error.message }));
      }
    },
  };
  const endless = { rowModelType: "infinite", cacheBlockSize: PAGE, datasource };
  const filters = { floatingFilter: true, suppressFloatingFilterButton: true };
  const columns = columnsOf(widget, first.rowData).map((column) => ({ ...column, ...filters }));
  await grid(widget, body, columns, endless, !first.rowCount);
}

async function grid(widget, body, columnDefs, rows, empty) {
  await library("grid");
  const place = body.appendChild(element("div", { className: "grid" }));
  const scheme = widget.backend.theme === "light" ? agGrid.colorSchemeLight : agGrid.colorSchemeDark;
  const state = Object.entries(widget.item.state?.columnState?.default ?? {});
  const stored = state.filter(([part]) => SHOWN_STATE.includes(part));
  await new Promise((resolve) => {
    const options = {
      theme: agGrid.themeQuartz.withPart(scheme).withParams(GRID_LOOK),
      columnDefs,
      defaultColDef: { sortable: true, resizable: true, suppressHeaderFilterButton: true },
      initialState: Object.fromEntries(stored),
      suppressFieldDotNotation: true,
      tooltipShowDelay: 0,
      [empty ? "onGridReady" : "onFirstDataRendered"]: resolve,
      ...rows,
    };
    widget.grid = agGrid.createGrid(place, options);
  });
}

function turned(rows, definition) {
  if (!definition.data?.table?.transpose || !rows.length) return rows;
  const [label, ...fields] = Object.keys(rows[0]);
  const across = (field) => Object.fromEntries(rows.map((row) => [row[label], row[field]]));
  return fields.map((field) => ({ [label]: field, ...across(field) }));
}

function columnsOf(widget, rows) {
  const table = widget.definition.data?.table ?? {};
  const declared = table.transpose ? [] : (table.columnsDefs ?? []);
  const known = new Set(declared.map((column) => column.field));
  const others = Object.keys(rows[0] ?? {}).filter((field) => !known.has(field));
  const more = table.showAll === false && declared.length ? [] : others.map((field) => ({ field }));
  const all = [...declared, ...more];
  return all.map((column) => columnOf(widget, { formatterFn: table.formatterFn, ...column }, rows));
}

function columnOf(widget, column, rows) {
  const { field, headerName, headerTooltip, width, minWidth, maxWidth, hide, sort } = column;
  const type = column.cellDataType ?? guessed(rows, field);
  const given = Object.entries({ headerName, headerTooltip, width, minWidth, maxWidth, hide, sort });
  return {
    ...Object.fromEntries(given.filter(([, value]) => value != null)),
    field,
    colId: field,
    ...(width == null && { flex: 1, minWidth: minWidth ?? 90 }),
    pinned: column.pinned || null,
    cellDataType: type,
    filter: FILTERS[type] ?? "agTextColumnFilter",
    headerClass: `ag-${column.align ?? (type === "number" ? "right" : "left")}-aligned-header`,
    cellStyle: ({ value, data }) => styleOf(column, type, value, data ?? {}),
    valueGetter: ({ data }) => valueIn(column, type, data ?? {}),
    valueFormatter: ({ value }) => formatted(value, column, type),
    tooltipValueGetter: ({ data }) => cardOf(column, data ?? {}),
    cellRenderer: (params) => cell(widget, column, params),
  };
}

function guessed(rows, field) {
  const value = rows.map((row) => row[field]).find((one) => one != null);
  return { number: "number", boolean: "boolean", object: "object" }[typeof value] ?? "text";
}

function valueIn(column, type, row) {
  const value = row[column.field];
  const shown = column.renderFnParams?.hoverCard?.cellField;
  if (shown && value && typeof value === "object") return value[shown];
  // A day without a time would be read as UTC.
  return type === "date" && value != null ? new Date(value.length === 10 ? `${value}T00:00` : value) : value;
}

function rendersWith(column, name) {
  return [column.renderFn].flat().includes(name);
}

function formatted(value, column, type) {
  if (value == null) return "";
  const text = numbered(value, column, type) ?? texted(value);
  const said = rendersWith(column, "titleCase") ? titled(text) : text;
  return `${column.prefix ?? ""}${said}${column.suffix ?? ""}`;
}

function texted(value) {
  if (value instanceof Date) return value.toLocaleString("sv").replace(" 00:00:00", "");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function titled(text) {
  return text.replace(/\S+/g, (word) => word[0].toUpperCase() + word.slice(1).toLowerCase());
}

function numbered(value, column, type) {
  const { formatterFn: fn, decimalPlaces: places } = column;
  if (fn === "dateToYear") return String(value instanceof Date ? value.getFullYear() : value).slice(0, 4);
  if (type !== "number" || typeof value !== "number") return null;
  if (fn === "none" && places == null) return String(value);
  const scaled = fn?.startsWith("normalized") ? value * 100 : value;
  const digits = { minimumFractionDigits: places ?? 0, maximumFractionDigits: places ?? (fn === "int" ? 0 : 4) };
  return scaled.toLocaleString("en", digits) + (/percent/i.test(fn ?? "") ? "%" : "");
}

function styleOf(column, type, value, row) {
  const style = { textAlign: column.align ?? (type === "number" ? "right" : "left") };
  const decides = column.renderFnParams?.colorValueKey ? row[column.renderFnParams.colorValueKey] : value;
  const signed = rendersWith(column, "greenRed") || rendersWith(column, "showCellChange");
  if (signed && decides) style.color = decides > 0 ? "#22a06b" : "#e5484d";
  const rules = rendersWith(column, "columnColor") ? (column.renderFnParams?.colorRules ?? []) : [];
  const rule = rules.find((one) => decides != null && CONDITIONS[one.condition](decides, one));
  // A grid changes the styles of a cell that it has; what a rule no longer says has to go.
  style.backgroundColor = rule?.fill ? rule.color : "";
  return rule ? { ...style, color: rule.fill ? "#fff" : rule.color } : style;
}

function cardOf(column, row) {
  const { hoverCard, hoverCardData } = column.renderFnParams ?? {};
  if (!rendersWith(column, "hoverCard")) return null;
  if (!hoverCard) return (hoverCardData ?? []).map((field) => `${field}: ${row[field]}`).join("\n");
  const filled = filledIn(hoverCard.markdown ?? "", row[column.field] ?? {});
  return [hoverCard.title, filled].filter(Boolean).join("\n");
}

function filledIn(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? asText(values[name]) : whole));
}

function cell(widget, column, { data, valueFormatted }) {
  if (!data) return element("span", { textContent: "…" });
  if (column.sparkline) return sparkline(column.sparkline, data[column.sparkline.dataField ?? column.field] ?? []);
  const clicked = rendersWith(column, "cellOnClick");
  const className = ["cell", clicked && "click", rendersWith(column, "hoverCard") && "card"].filter(Boolean).join(" ");
  const onclick = clicked ? () => click(widget, column, data) : null;
  return element("span", { className, textContent: valueFormatted ?? "", onclick });
}

async function click(widget, column, row) {
  const { actionType, groupBy, sendToAgent } = column.renderFnParams ?? {};
  if (actionType === "sendToAgent") {
    const textContent = `To the agent: ${filledIn(sendToAgent.markdown, row)}`;
    widget.place.append(element("p", { className: "note", textContent }));
  } else if (groupBy?.paramName) {
    const others = setParams(widget, { [groupBy.paramName]: row[groupBy.valueField ?? column.field] });
    if (groupBy.forceUpdate) await draw(widget);
    await others;
  }
}

// --- Small charts in cells ----------------------------------------------------------------------------------------

const WIDE = 120;
const HIGH = 28;

function sparkline({ type, options = {} }, values) {
  const numbers = values.filter((value) => value != null);
  const picture = svg("svg", { class: "spark", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none" });
  if (!numbers.length) return picture;
  const parts = type === "bar" ? bars(numbers, options) : line(numbers, options, type === "area");
  picture.append(...parts);
  return picture;
}

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) made.setAttribute(key, value);
  return made;
}

function scale(numbers, { min, max, padding = {} }, floor) {
  const low = min ?? Math.min(...numbers, floor ?? Infinity);
  const high = max ?? Math.max(...numbers, floor ?? -Infinity);
  const { top = 2, bottom = 2 } = padding;
  const height = HIGH - top - bottom;
  return (value) => top + height - (high === low ? 0.5 : (value - low) / (high - low)) * height;
}

function line(numbers, options, filled) {
  const y = scale(numbers, options);
  const { left = 3, right = 3 } = options.padding ?? {};
  const x = (at) => left + (at / Math.max(numbers.length - 1, 1)) * (WIDE - left - right);
  const points = numbers.map((value, at) => `${x(at)},${y(value)}`).join(" ");
  const stroke = options.stroke ?? "#5b8def";
  const area = `${x(0)},${HIGH} ${points} ${x(numbers.length - 1)},${HIGH}`;
  const fill = { fill: options.fill ?? stroke, "fill-opacity": options.fillOpacity ?? 0.3 };
  const below = filled ? [svg("polygon", { points: area, ...fill })] : [];
  const drawn = svg("polyline", { points, fill: "none", stroke, "stroke-width": options.strokeWidth ?? 1.5 });
  const marks = numbers.flatMap((value, at) => {
    const mark = markOf(options, numbers, at);
    return mark ? [svg("circle", { cx: x(at), cy: y(value), r: (mark.size ?? 4) / 2, ...paint(mark, stroke) })] : [];
  });
  return [...below, drawn, ...marks];
}

function bars(numbers, options) {
  const across = options.direction === "horizontal";
  const [length, breadth] = across ? [HIGH, WIDE] : [WIDE, HIGH];
  const up = scale(numbers, options, 0);
  const along = (value) => (across ? WIDE - (up(value) / HIGH) * breadth : up(value));
  const step = length / numbers.length;
  const colour = options.fill ?? options.stroke ?? "#5b8def";
  return numbers.map((value, at) => {
    const [from, to] = [along(0), along(value)].sort((one, other) => one - other);
    const [start, long, side, thick] = [from, Math.max(to - from, 0.5), (at + 0.1) * step, step * 0.8];
    const upright = { x: side, y: start, width: thick, height: long };
    const place = across ? { x: start, y: side, width: long, height: thick } : upright;
    return svg("rect", { ...place, ...paint(pointOf(options, numbers, at) ?? {}, colour) });
  });
}

function paint({ fill, stroke, strokeWidth }, otherwise) {
  return { fill: fill ?? otherwise, stroke, "stroke-width": strokeWidth };
}

function markOf(options, numbers, at) {
  return pointOf(options, numbers, at) ?? (options.markers?.enabled ? options.markers : null);
}

function pointOf({ pointsOfInterest: points = {} }, numbers, at) {
  const value = numbers[at];
  if (points.firstLast && (at === 0 || at === numbers.length - 1)) return points.firstLast;
  if (points.minimum && value === Math.min(...numbers)) return points.minimum;
  if (points.maximum && value === Math.max(...numbers)) return points.maximum;
  return (value < 0 ? points.positiveNegative?.negative : points.positiveNegative?.positive) ?? null;
}

// --- Charts -------------------------------------------------------------------------------------------------------

async function drawChart(widget, body) {
  await plotly(body, await dataOf(widget));
}

async function plotly(body, { data, layout, config }) {
  await library("plotly");
  const plot = body.appendChild(element("div", { className: "plot" }));
  await Plotly.newPlot(plot, data, layout, { responsive: true, ...config });
}

async function drawVegaLite(widget, body) {
  const spec = await dataOf(widget);
  await library("vega");
  const plot = body.appendChild(element("div", { className: "plot" }));
  await vegaEmbed(plot, spec, { actions: false, renderer: "svg", logLevel: vega.Warn });
}

// Highcharts is not free: its options are checked, and drawn with Plotly in a plain manner.
async function drawHighcharts(widget, body) {
  const options = await dataOf(widget);
  const { chart = {}, xAxis = {}, yAxis = {} } = options;
  const data = seriesOf(options).map((one) => traceOf(one, one.type ?? chart.type ?? "line", xAxis));
  const along = { ...axisOf(xAxis), type: xAxis.type === "datetime" ? "date" : undefined };
  const up = axisOf([yAxis].flat()[0]);
  // Its bars run to the right, the first on top.
  const lying = { xaxis: up, yaxis: { ...along, autorange: "reversed" } };
  const axes = chart.type === "bar" ? lying : { xaxis: along, yaxis: up };
  const said = options.title?.text || options.subtitle?.text;
  const title = ["Highcharts, drawn with Plotly", said].filter(Boolean).join(": ");
  await plotly(body, { data, layout: { ...stoodIn(title, chart.style?.color), ...axes, colorway: options.colors } });
}

function axisOf({ title, gridLineColor }) {
  return { title: { text: title?.text }, gridcolor: gridLineColor, zerolinecolor: gridLineColor };
}

function stoodIn(text, color = "#888") {
  const title = { text, font: { size: 11 } };
  const papers = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
  const margin = { t: 50, r: 10, b: 40, l: 50 };
  const legend = { orientation: "h", y: 1, yanchor: "bottom" };
  return { title, ...papers, font: { color }, margin, legend };
}

function seriesOf({ series }) {
  const isPoint = (point) => point === null || ["number", "object"].includes(typeof point);
  const whole = Array.isArray(series) && series.every((one) => Array.isArray(one.data) && one.data.every(isPoint));
  if (!whole) throw new Error("Highcharts wants a list of series, each with a list of numbers or points.");
  return series;
}

function traceOf({ name, data }, type, { categories }) {
  const points = data.map((point, at) => {
    if (Array.isArray(point)) return point;
    return typeof point === "number" ? [at, point] : [point?.x ?? point?.name ?? at, point?.y];
  });
  const x = points.map(([place]) => categories?.[place] ?? place);
  const y = points.map(([, value]) => value);
  if (type === "pie") return { type, name, labels: x, values: y };
  if (type === "bar") return { type, name, x: y, y: x, orientation: "h" };
  if (type === "column") return { type: "bar", name, x, y };
  const fill = type.startsWith("area") ? "tozeroy" : "none";
  return { type: "scatter", name, x, y, mode: type === "scatter" ? "markers" : "lines", fill };
}

// TradingView's library is not free either: what it would ask for is asked for, and drawn with Plotly.
async function drawTradingView(widget, body) {
  const { backend, definition, values } = widget;
  const call = (path, query) => ask(backend, withQuery(address(backend, `${definition.endpoint}/${path}`), query));
  const { supported_resolutions: known } = await call("config", {});
  const { name, ticker } = await call("symbols", { symbol: definition.data?.defaultSymbol ?? asText(values.symbol) });
  const resolution = known.find((one) => /^1?D$/.test(one)) ?? known[0];
  const to = Math.ceil(Date.now() / 1000);
  const history = await call("history", { symbol: ticker ?? name, resolution, from: 0, to });
  if (history.s === "error") throw new Error(history.errmsg);
  const { t = [], o: open, h: high, l: low, c: close } = history;
  const x = t.map((seconds) => new Date(seconds * 1000).toISOString());
  const layout = { ...stoodIn(`${name}, drawn with Plotly`), xaxis: { type: "date", rangeslider: { visible: false } } };
  await plotly(body, { data: [{ type: "candlestick", x, open, high, low, close }], layout });
}

// --- Texts and numbers --------------------------------------------------------------------------------------------

async function rendered(text) {
  await library("markdown");
  const made = element("div", { className: "text" });
  made.innerHTML = DOMPurify.sanitize(markdownit({ html: true, linkify: true }).render(text));
  return made;
}

async function drawText(widget, body) {
  const text = await dataOf(widget);
  if (typeof text !== "string") throw new Error("A text has to be a JSON string.");
  body.append(await rendered(text));
}

async function drawNews(widget, body) {
  for (const { title, date, author, excerpt, body: text } of await dataOf(widget)) {
    const time = date && new Date(date).toLocaleString("sv", { timeZone: "UTC" });
    const lines = { h3: title, small: [time, author].filter(Boolean).join(" · "), p: excerpt };
    const parts = Object.entries(lines).map(([name, textContent]) => element(name, { textContent }));
    const whole = element("details", {}, element("summary", { textContent: "Read" }), await rendered(text));
    body.append(element("article", { className: "article" }, ...parts, whole));
  }
}

async function drawMetric(widget, body) {
  const metrics = [await dataOf(widget)].flat();
  const cards = metrics.map(({ label, value, delta, subvalue }) => {
    const shown = typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 4 }) : value;
    const change = element("span", { className: parseFloat(delta) < 0 ? "down" : "up", textContent: delta ?? "" });
    const parts = [element("small", { textContent: label }), element("strong", { textContent: shown }), change];
    return element("div", { className: "metric" }, ...parts, element("small", { textContent: subvalue ?? "" }));
  });
  body.append(element("div", { className: "metrics" }, ...cards));
}

// --- Pages, videos, files -----------------------------------------------------------------------------------------

const PUSHED = "openbb:widget-params:update";
// A page only dispatches an event on its own window: what shows it has to carry it out of the frame.
const CARRIER = `<script>addEventListener("${PUSHED}", (event) => parent.postMessage(event.detail, "*"))</script>`;

async function drawPage(widget, body) {
  const page = await dataOf(widget);
  const head = /<head[^>]*>/i;
  const srcdoc = head.test(page) ? page.replace(head, (tag) => tag + CARRIER) : `<!doctype html>${CARRIER}${page}`;
  const frame = element("iframe", { srcdoc });
  frame.setAttribute("sandbox", "allow-scripts allow-forms allow-popups allow-downloads");
  widget.pushed ??= element("p", { className: "note" });
  widget.frame = frame;
  const opened = new Promise((resolve) => frame.addEventListener("load", resolve));
  body.append(element("div", { className: "framed" }, frame, widget.pushed));
  await opened;
}

addEventListener("message", (event) => {
  const widget = widgets.find((one) => one.frame?.contentWindow === event.source);
  if (!widget || event.data?.type !== PUSHED) return;
  widget.pushed.textContent = `From the page: ${JSON.stringify(event.data.params)}`;
  setParams(widget, event.data.params);
});

async function drawFrame({ backend, definition, values }, body) {
  const src = withQuery(address(backend, definition.endpoint), { ...values, theme: backend.theme });
  const opened = element("iframe", { src });
  // Without its query, which may hold a key.
  const said = element("p", { className: "note", textContent: src.split("?")[0] });
  body.append(element("div", { className: "framed" }, said, opened));
  await new Promise((resolve) => opened.addEventListener("load", resolve));
}

async function drawVideo(widget, body) {
  const url = await dataOf(widget);
  body.append(element("p", { className: "note", textContent: url ? `Video: ${url}` : "No video is chosen." }));
}

async function drawFiles(widget, body) {
  for (const file of [await dataOf(widget)].flat()) {
    if (file.error_type) throw new Error(`${file.error_type}: ${file.content}`);
    const { filename, data_type: type } = file.data_format;
    const size = file.content ? `${atob(file.content).length} bytes` : file.url;
    body.append(element("p", { className: "note", textContent: `${filename} · ${type} · ${size}` }));
  }
}

async function drawOmni(widget, body) {
  const { content, data_format: format } = await dataOf(widget);
  if (format.parse_as === "chart") return plotly(body, content);
  if (format.parse_as === "table")
    return grid(widget, body, columnsOf(widget, content), { rowData: content }, !content.length);
  return body.append(await rendered(content));
}

const DRAW = {
  table: drawTable,
  live_grid: drawTable,
  ssrm_table: drawPagedTable,
  table_ssrm: drawPagedTable,
  chart: drawChart,
  "chart-vegalite": drawVegaLite,
  "chart-highcharts": drawHighcharts,
  advanced_charting: drawTradingView,
  "advanced-chart": drawTradingView,
  markdown: drawText,
  note: drawText,
  newsfeed: drawNews,
  metric: drawMetric,
  html: drawPage,
  iframe: drawFrame,
  youtube: drawVideo,
  pdf: drawFiles,
  multi_file_viewer: drawFiles,
  omni: drawOmni,
  missing,
};

// What a browser is told from outside.
window.client = { show, documents, ask, widget: (id) => widgets.find((one) => one.id === id) };
