extension PageScript {
    /// Building blocks of the page.
    static let view = #"""
        /** Makes an element. Children are elements, strings, or lists of these; `null` is left out. */
        function el(name, attributes = {}, ...children) {
          const element = document.createElement(name);
          for (const [key, value] of Object.entries(attributes)) {
            if (value === null || value === undefined || value === false) continue;
            if (key === "onclick") element.addEventListener("click", value);
            else element.setAttribute(key, value === true ? "" : value);
          }
          element.append(...children.flat(4).filter((child) => child !== null && child !== undefined));
          return element;
        }

        /** Text with places where a long name may be broken. */
        function breakable(string) {
          if (string.length > 200 || string.length < 16 || string.includes(" ")) return string;
          const places = string.includes("@") ? /(?=@)/ : /(?=\.)|(?<=[/:_-])/;
          return string.split(places).flatMap((part, index) => (index === 0 ? [part] : [el("wbr"), part]));
        }

        /** Text of the bundle: isolated, so that its direction does not spill over. */
        const said = (value, limit) => el("bdi", {}, breakable(shown(value, limit)));
        const code = (value, limit) => el("code", {}, breakable(shown(value, limit)));

        /** Several texts in a row: “a, b and c”, the rest counted. */
        function row(values, make = said, most = 6) {
          const shownValues = values.slice(0, most).map((value) => make(value));
          const rest = values.length - shownValues.length;
          if (rest > 0) shownValues.push(`${number.format(rest)} more`);
          return shownValues.flatMap((value, index) =>
            index === 0 ? [value] : [index === shownValues.length - 1 ? " and " : ", ", value]);
        }

        function icon(name) {
          const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
          svg.setAttribute("viewBox", "0 0 20 20");
          svg.setAttribute("aria-hidden", "true");
          const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
          path.setAttribute("d", ICONS[name] ?? ICONS.dot);
          svg.append(path);
          return svg;
        }

        const ICONS = Object.freeze({
          dot: "M10 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
          approve: "M4 16.5c.6-3.4 2.8-5 6-5s5.4 1.6 6 5M10 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
          key: "M12.5 4a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 10l-6 6m1.5-1.5 2 2",
          call: "M3.5 10h12m-4.5-4.5L15.5 10 11 14.5",
          revoke: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM5.5 5.5l9 9",
          stop: "M7 3h6l4 4v6l-4 4H7l-4-4V7zM10 6.5v4m0 2.6v.2",
          budget: "M3.5 14.5a7 7 0 1 1 13 0M10 13l3-5",
          flag: "M5 17V3.5m0 .5h9.5l-2 3.5 2 3.5H5",
          deny: "M5 5l10 10M15 5L5 15",
          clock: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 6.5V10l2.5 2",
          check: "M4 10.5l4 4 8-9",
          cross: "M5 5l10 10M15 5L5 15",
          dash: "M5 10h10",
          document: "M5.5 3h6l3.5 3.5V17h-9.5zM8 10h4.5M8 13h4.5",
        });

        const STATES = Object.freeze({
          pass: { icon: "check", word: "Checked" },
          fail: { icon: "cross", word: "Failed" },
          skip: { icon: "dash", word: "Not checked" },
          part: { icon: "dash", word: "Checked in part" },
        });

        /** The marks at the items, which follow the last report. */
        const marks = {
          entries: [],
          report: null,
          targets: new Map(),

          /** Makes a mark for subjects; `box` is the element that turns red, and takes the sentences unless `brief`. */
          make(subjects, box, brief = false) {
            const span = el("span", { class: "mark", "data-state": "idle" });
            const entry = { subjects, box, span, brief, faults: null };
            this.entries.push(entry);
            if (!brief) {
              if (!box.id) box.id = `item-${this.entries.length}`;
              box.tabIndex = -1;
              for (const subject of subjects) if (!this.targets.has(subject)) this.targets.set(subject, box);
            }
            // Later, when the box has what is shown above the sentences.
            queueMicrotask(() => this.show(entry));
            return span;
          },

          show(entry) {
            const { report } = this;
            const outcome = report?.outcome(...entry.subjects) ?? null;
            entry.faults?.remove();
            entry.faults = null;
            entry.span.dataset.state = outcome ?? "idle";
            if (outcome === null) {
              delete entry.box.dataset.state;
              entry.span.replaceChildren(report ? "" : "Not checked yet");
              return;
            }
            entry.box.dataset.state = outcome;
            const rows = entry.subjects.flatMap((subject) => report.bySubject.get(subject) ?? []);
            const state = STATES[outcome === "skip" && rows.some((each) => each.outcome === "pass") ? "part" : outcome];
            entry.span.replaceChildren(icon(state.icon), state.word);
            if (outcome === "pass" || entry.brief) return;
            const told = [...new Set(rows.filter((each) => each.outcome === outcome).map((each) => each.sentence))];
            entry.faults = el("ul", { class: "faults" },
              told.slice(0, outcome === "fail" ? 4 : 1).map((sentence) => el("li", {}, sentence)));
            (entry.box.tagName === "TR" ? entry.box.lastElementChild : entry.box).append(entry.faults);
            const folded = entry.box.closest("details");
            if (outcome === "fail" && folded) folded.open = true;
          },

          apply(report) {
            this.report = report;
            for (const entry of this.entries) this.show(entry);
          },
        };

        /** Shows a list in portions, and says how much of it is shown. */
        function portions(items, size, container, make) {
          let count = 0;
          const note = el("p", { class: "portion" });
          const more = el("button", { type: "button", class: "quiet", onclick: () => add() });
          const add = () => {
            const next = items.slice(count, count + size);
            container.append(...next.map((item, index) => make(item, count + index)));
            count += next.length;
            note.replaceChildren(`${number.format(count)} of ${number.format(items.length)} are shown. `);
            if (count < items.length) {
              more.textContent = `Show ${number.format(Math.min(size, items.length - count))} more`;
              note.append(more);
            }
          };
          add();
          return items.length > size ? [container, note] : [container];
        }

        const NUMBERS = Object.freeze(["Calls", "Tokens in", "Tokens out", "Signatures"]);

        /** A table with a caption for those who do not see it. */
        function table(caption, heads, rows, size = 100) {
          const body = el("tbody");
          const head = el("thead", {}, el("tr", {}, heads.map((name) =>
            el("th", { scope: "col", class: NUMBERS.includes(name) && "number" }, name))));
          const [, note] = portions(rows, size, body, (make) => make());
          return el("div", { class: "wide", role: "region", "aria-label": caption, tabindex: "0" },
            el("table", {}, el("caption", { class: "unseen" }, caption), head, body), note ?? null);
        }

        /** Pairs of a name and what it is. */
        const facts = (...pairs) => el("dl", { class: "facts" },
          pairs.filter((pair) => pair
            && pair[1] !== null).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));

        const section = (id, title, lead, ...content) => el("section", { id, "aria-labelledby": `${id}-title` },
          el("h2", { id: `${id}-title` }, title), lead ? el("p", { class: "lead" }, lead) : null, content);

        // --- Time ---

        const pad = (value) => String(value).padStart(2, "0");
        const clock = (ms) => {
          const date = new Date(ms);
          return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
        };
        const day = (ms) => new Intl.DateTimeFormat("en-GB", {
          weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC",
        }).format(ms);
        const moment = (ms) => (Math.abs(ms) < 8.64e15
          ? el("time", { datetime: iso(ms) }, `${day(ms)}, ${clock(ms)} UTC`) : "an unknown time");

        /** A duration in its two largest units. */
        function duration(ms) {
          if (!Number.isFinite(ms)) return "an unknown time";
          const units = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]];
          let rest = Math.round(Math.abs(ms) / 1000) * 1000;
          const parts = [];
          for (const [size, name] of units) {
            const count = Math.floor(rest / size);
            rest -= count * size;
            if (count > 0) parts.push(`${number.format(count)} ${name}`);
          }
          return parts.slice(0, 2).join(" ") || "0 s";
        }
        """#
}
