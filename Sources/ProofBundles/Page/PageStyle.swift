/// How the page looks: light and dark, on screens of any width and on paper.
enum PageStyle {
    /// The style sheet.
    static let text = #"""
        :root {
          --paper: #faf9f5; --card: #ffffff; --ink: #1c2026; --soft: #575e67; --line: #e2dfd6; --rail: #d3cfc4;
          --accent: #2b4a80; --accent-ink: #ffffff; --accent-wash: #eef2f9;
          --good: #1d6843; --good-wash: #edf6f0; --bad: #a8201a;
          --bad-wash: #fdf0ee; --warn: #7d5200; --warn-wash: #fbf4e4;
          --serif: Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Palatino, "Palatino Linotype", Georgia, serif;
          --sans: system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif;
          --mono: ui-monospace, "SF Mono", "Cascadia Mono", "Noto Sans Mono", "Liberation Mono", monospace;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14161a; --card: #1b1e23; --ink: #e9e7e1; --soft: #a7adb6; --line: #2d3138; --rail: #3b4048;
            --accent: #a9c2f0; --accent-ink: #14202f; --accent-wash: #1c2534;
            --good: #83d0a3; --good-wash: #17261e; --bad: #ff9b92;
            --bad-wash: #311a19; --warn: #e6bd6b; --warn-wash: #2a2315;
          }
        }
        * { box-sizing: border-box; }
        html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
        body {
          margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.55 var(--sans);
          text-rendering: optimizeLegibility; overflow-wrap: break-word;
        }
        #page { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
        h1, h2, h3, h4, p, dl, dd, ul, ol { margin: 0; }
        h1, h2 { font-family: var(--serif); font-weight: 600; line-height: 1.2; text-wrap: balance; }
        h1 { font-size: clamp(1.6rem, 1.1rem + 2.2vw, 2.4rem); letter-spacing: -0.012em; }
        h2 { font-size: 1.45rem; }
        h3 { font-size: 1.02rem; font-weight: 650; line-height: 1.35; }
        h4 { font-size: 1rem; font-weight: 650; line-height: 1.4; }
        code, pre { font-family: var(--mono); font-size: 0.86em; }
        pre {
          overflow-x: auto; padding: 0.75rem 1rem; background: var(--paper); border: 1px solid var(--line);
          border-radius: 6px; white-space: pre-wrap;
        }
        a { color: var(--accent); }
        a:focus-visible, button:focus-visible, summary:focus-visible, textarea:focus-visible, [tabindex]:focus-visible {
          outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px;
        }
        svg {
          width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round;
          stroke-linejoin: round; flex: none;
        }
        .unseen {
          position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
        }
        .skip { position: absolute; left: -200vw; }
        .skip:focus { left: 1rem; top: 1rem; padding: 0.5rem 1rem; background: var(--card); z-index: 1; }
        .note, .lead { color: var(--soft); }
        .lead { margin: 0.3rem 0 1.2rem; max-width: 44rem; }
        section { margin-top: 3rem; }

        .masthead { margin-bottom: 1.75rem; }
        .brand {
          display: flex; align-items: center; gap: 0.45rem; color: var(--soft); font-size: 0.92rem; font-weight: 600;
          letter-spacing: 0.02em; margin-bottom: 0.9rem;
        }
        .story {
          font-family: var(--serif); font-size: 1.17rem; line-height: 1.55; margin-top: 0.8rem; max-width: 46rem;
          color: var(--ink);
        }

        #verdict {
          margin-top: 0; display: grid; grid-template-columns: auto 1fr auto; gap: 0.5rem 1.25rem; align-items: center;
          padding: 1.35rem 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
        }
        .seal {
          width: 3.25rem; height: 3.25rem; display: grid; place-items: center; border-radius: 50%; color: var(--soft);
          background: var(--paper); border: 1px solid var(--rail);
        }
        .seal svg { width: 1.75rem; height: 1.75rem; stroke-width: 2; }
        .verdict-text p { margin-top: 0.25rem; max-width: 40rem; }
        .counts { color: var(--soft); font-size: 0.9rem; font-variant-numeric: tabular-nums; }
        .actions { display: flex; flex-direction: column; gap: 0.5rem; align-items: stretch; }
        .failures { grid-column: 1 / -1; }
        #verdict > div:last-child { grid-column: 1 / -1; }
        #verdict > div:last-child:empty { display: none; }
        #verdict[data-verdict="bad"] { border-color: var(--bad); background: var(--bad-wash); }
        #verdict[data-verdict="bad"] .seal { background: var(--bad); color: var(--card); border-color: var(--bad); }
        #verdict[data-verdict="bad"] h2 { color: var(--bad); }
        #verdict[data-verdict="verified"] { border-color: var(--good); background: var(--good-wash); }
        #verdict[data-verdict="verified"] .seal {
          background: var(--good); color: var(--card); border-color: var(--good);
        }
        #verdict[data-verdict="intact"], #verdict[data-verdict="partial"] {
          border-color: var(--accent); background: var(--accent-wash);
        }
        #verdict[data-verdict="intact"] .seal, #verdict[data-verdict="partial"] .seal {
          background: var(--accent); color: var(--accent-ink); border-color: var(--accent);
        }
        #verdict[data-verdict="unable"] { border-color: var(--warn); background: var(--warn-wash); }
        #verdict[data-verdict="unable"] .seal {
          background: var(--warn); color: var(--card); border-color: var(--warn);
        }
        .failures { border-top: 1px solid var(--bad); margin-top: 0.9rem; padding-top: 0.9rem; }
        .failures ul { margin: 0.35rem 0 0; padding-left: 1.2rem; }
        .failures li { margin-top: 0.3rem; }
        .failures .where { font-family: var(--mono); font-size: 0.82em; display: block; }

        button {
          font: 600 1rem/1.2 var(--sans); padding: 0.65rem 1.35rem; border-radius: 8px; cursor: pointer;
          border: 1px solid var(--accent); background: var(--accent); color: var(--accent-ink);
        }
        button.quiet {
          background: transparent; color: var(--accent); border-color: transparent; font-weight: 500;
          font-size: 0.92rem; padding: 0.4rem 0.75rem;
        }
        button.quiet:hover { border-color: var(--accent); }
        button:disabled { opacity: 0.7; cursor: progress; }

        .tiles {
          display: grid; grid-template-columns: repeat(3, 1fr); gap: 1px; background: var(--line);
          border: 1px solid var(--line); border-radius: 12px; overflow: hidden;
        }
        .tile {
          min-width: 0; background: var(--card); padding: 1.05rem 1.25rem 1.1rem; display: flex;
          flex-direction: column; gap: 0.15rem;
        }
        #overview { margin-top: 1.25rem; }
        .tile h3 { font-size: 0.88rem; font-weight: 600; color: var(--soft); }
        .tile .value { font-size: 1.06rem; font-weight: 600; line-height: 1.4; }
        .tile .note { font-size: 0.9rem; }
        .tile .mark { margin-top: auto; padding-top: 0.5rem; }

        .mark {
          display: inline-flex; align-items: center; gap: 0.3rem; font-size: 0.85rem; font-weight: 600;
          color: var(--soft); white-space: nowrap;
        }
        .mark svg { width: 1rem; height: 1rem; stroke-width: 2.4; }
        .mark[data-state="idle"] { font-weight: 400; }
        .mark[data-state="pass"] { color: var(--good); }
        .mark[data-state="fail"] { color: var(--bad); }
        .mark[data-state="skip"] { color: var(--warn); }
        .faults { margin: 0.6rem 0 0; padding: 0; list-style: none; font-size: 0.94rem; }
        .faults li { margin-top: 0.2rem; }
        [data-state="skip"] > .faults { color: var(--warn); }
        [data-state="fail"] > .faults, tr[data-state="fail"] .faults { color: var(--bad); font-weight: 600; }
        .head {
          display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0.2rem 1rem;
        }

        .timeline { list-style: none; padding: 0; }
        .entry { display: grid; grid-template-columns: 5.6rem 2.1rem 1fr; column-gap: 0.9rem; position: relative; }
        .entry .day { grid-column: 1 / -1; font-family: var(--serif); font-size: 1.08rem; padding: 0.25rem 0 0.9rem; }
        .when { text-align: right; font-variant-numeric: tabular-nums; font-size: 0.95rem; padding-top: 0.28rem; }
        .offset { display: block; color: var(--soft); font-size: 0.82rem; }
        .node {
          display: grid; place-items: center; width: 2.1rem; height: 2.1rem; border-radius: 50%;
          background: var(--card); border: 1px solid var(--rail); color: var(--soft); z-index: 1;
        }
        .entry::before {
          content: ""; position: absolute; left: calc(5.6rem + 0.9rem + 1.05rem - 0.5px); top: 0; bottom: 0;
          width: 1px; background: var(--rail);
        }
        .entry:last-child::before { bottom: auto; height: 1rem; }
        .entry:first-child::before { top: 3rem; }
        [data-tone="good"] .node { color: var(--good); border-color: currentColor; }
        [data-tone="warn"] .node { color: var(--warn); border-color: currentColor; }
        [data-tone="stop"] .node { color: var(--bad); border-color: currentColor; }
        [data-tone="call"] .node { color: var(--accent); border-color: currentColor; }
        .what { padding: 0.25rem 0.75rem 0.35rem; margin: 0 -0.75rem 1.15rem; border-radius: 8px; min-width: 0; }
        .what p { font-size: 0.96rem; }
        .what .place { color: var(--soft); font-size: 0.86rem; }
        .what[data-state="fail"], .card[data-state="fail"] {
          background: var(--bad-wash); box-shadow: inset 4px 0 0 var(--bad);
        }
        .card[data-state="fail"] { border-color: var(--bad); }
        .tile[data-state="fail"] { background: var(--bad-wash); box-shadow: inset 4px 0 0 var(--bad); }
        td .faults { white-space: normal; }

        .cards { display: grid; gap: 1rem; }
        .card {
          background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 1.2rem 1.4rem;
          min-width: 0;
        }
        .card > * + * { margin-top: 0.75rem; }
        .card > .head + * { margin-top: 0.6rem; }
        .facts { display: grid; grid-template-columns: 1fr; gap: 0.3rem; }
        .facts > div {
          display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: 0.1rem 1.25rem; padding: 0.22rem 0;
        }
        .facts dt { color: var(--soft); font-size: 0.93rem; }
        .plain { padding-left: 1.1rem; font-size: 0.95rem; }
        .card ul:not(.faults) { padding-left: 1.2rem; }
        .meter { display: block; width: 100%; height: 8px; stroke: none; }
        .meter .rail { fill: var(--line); }
        .meter .fill { fill: var(--warn); }

        .wide { overflow-x: auto; }
        table { width: 100%; border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
        th, td {
          text-align: left; vertical-align: top; padding: 0.45rem 0.9rem 0.45rem 0;
          border-bottom: 1px solid var(--line);
        }
        thead th { color: var(--soft); font-weight: 600; font-size: 0.86rem; white-space: nowrap; }
        th[scope="row"] { font-weight: 600; min-width: 10rem; }
        th .note { display: block; font-weight: 400; font-size: 0.86rem; }
        td.number, th.number { text-align: right; }
        td.number, td.clock { white-space: nowrap; }
        td { overflow-wrap: anywhere; }
        td:last-child, th:last-child { padding-right: 0; }
        tr[data-state="fail"] { background: var(--bad-wash); box-shadow: inset 4px 0 0 var(--bad); }
        tr[data-state="fail"] td:first-child { padding-left: 0.75rem; }
        .untrusted { color: var(--bad); font-weight: 600; }
        .portion { font-size: 0.9rem; color: var(--soft); padding: 0.5rem 0; }

        summary { cursor: pointer; padding: 0.35rem 0; font-weight: 600; color: var(--accent); }
        .group { border-bottom: 1px solid var(--line); }
        .group > summary { color: var(--ink); padding: 0.75rem 0; }
        .tally { font-weight: 400; color: var(--soft); margin-left: 0.5rem; font-size: 0.92rem; }
        .group[data-state="fail"] > summary .tally { color: var(--bad); font-weight: 600; }
        .trust { margin-top: 1.2rem; }
        .trust label { display: block; font-weight: 600; margin-top: 0.5rem; }
        .trust .actions { flex-direction: row; flex-wrap: wrap; margin-top: 0.6rem; }
        textarea {
          width: 100%; margin-top: 0.4rem; padding: 0.75rem; font: 0.88rem/1.5 var(--mono); color: var(--ink);
          background: var(--card); border: 1px solid var(--soft); border-radius: 8px;
        }
        [role="alert"] { color: var(--bad); }
        footer { margin-top: 3.5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); font-size: 0.95rem; }
        footer h2 { font-size: 1.15rem; }
        footer ul { padding-left: 1.2rem; margin: 0.5rem 0 1rem; max-width: 46rem; }

        @media (max-width: 44rem) {
          #page { padding: 1.5rem 1rem 3rem; }
          #verdict { grid-template-columns: auto 1fr; }
          #verdict .actions { grid-column: 1 / -1; }
          .tiles { grid-template-columns: 1fr; }
          .facts > div { grid-template-columns: 1fr; }
          .entry { grid-template-columns: 2.1rem 1fr; }
          .entry .day, .entry .when { grid-column: 1 / -1; text-align: left; }
          .entry .when { padding-left: 3rem; display: flex; gap: 0.6rem; }
          .entry .node { grid-column: 1; }
          .entry::before { left: 1.05rem; }
        }
        @media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
        @media (forced-colors: active) { [data-state="fail"] { outline: 2px solid; } }
        @media print {
          :root {
            --paper: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --line: #cccccc; --rail: #999999;
            --accent: #1f3a68; --accent-ink: #ffffff; --accent-wash: #ffffff; --good: #14532d; --good-wash: #ffffff;
            --bad: #8b1a14; --bad-wash: #ffffff; --warn: #5f3e00; --warn-wash: #ffffff;
          }
          @page { margin: 16mm 15mm 18mm; }
          html { font-size: 9.5pt; }
          body { line-height: 1.42; print-color-adjust: exact; }
          #page { max-width: none; padding: 0; }
          h1 { font-size: 18pt; }
          h2 { font-size: 13pt; break-after: avoid; }
          h3, h4, .head, .lead { break-after: avoid; }
          .story { font-size: 11pt; }
          section { margin-top: 1.6rem; }
          button, .skip, .trust, textarea { display: none; }
          .actions { display: none; }
          .tile, .entry, .card, .card > .head, tr, #verdict, .facts > div { break-inside: avoid; }
          .wide { overflow: visible; }
          .what { margin-bottom: 0.6rem; }
          summary { list-style: none; }
        }
        """#
}
