extension PageScript {
    /// Puts the page together and waits for the reader.
    static let start = #"""
        function boot() {
          const page = document.getElementById("page");
          const source = document.getElementById("bundle").textContent;
          const value = parsed(source);
          if (!isObject(value)) {
            page.replaceChildren(el("p", { class: "story" }, "This page holds no bundle that can be read."));
            return;
          }
          const model = readModel(value);
          const save = () => {
            const address = URL.createObjectURL(new Blob([source.trim(), "\n"], { type: "application/json" }));
            const link = el("a", { href: address, download: "run.export.json" });
            link.click();
            setTimeout(() => URL.revokeObjectURL(address), 10_000);
          };
          let running = false;
          const check = async (trust) => {
            if (running) return;
            running = true;
            verdict.busy(0);
            const outcome = await verify(model, trust, await abilities(), (count) => verdict.busy(count));
            marks.apply(outcome.report);
            keys.show(trust);
            checks.show(outcome.report);
            verdict.show(outcome);
            running = false;
          };
          const actions = {
            save,
            verify: () => check(ownTrust(model)),
            verifyWith(configuration, problems) {
              const { trust, problems: found } = parseTrust(configuration);
              problems.replaceChildren();
              if (found) problems.append(el("p", {}, "This configuration cannot be used:"),
                el("ul", {}, found.map((each) => el("li", {}, each))));
              else check(trust);
            },
          };
          const verdict = verdictPanel(actions);
          const keys = keysSection(model, actions);
          const checks = checksSection();
          page.replaceChildren(masthead(model), el("main", {}, verdict.panel, overview(model), timeline(model),
            approvalsSection(model), policiesSection(model), tokensSection(model), usageSection(model),
            completenessSection(model), keys.element, checks.element), closing(model));
          openForPrint();
          if (location.hash === "#verify") actions.verify();
        }

        /** On paper nothing can be opened: what is closed is opened for the time of printing. */
        function openForPrint() {
          let opened = [];
          addEventListener("beforeprint", () => {
            opened = [...document.querySelectorAll("details:not([open])")].filter((each) =>
              !each.matches(".trust, .group"));
            for (const each of opened) each.open = true;
          });
          addEventListener("afterprint", () => {
            for (const each of opened) each.open = false;
          });
        }

        try {
          boot();
        } catch (error) {
          document.getElementById("page").replaceChildren(
            el("p", { class: "story" }, `This bundle cannot be shown: ${shown(String(error), 200)}`));
        }
        """#
}
