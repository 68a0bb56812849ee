(function () {
  var d = document, root = d.documentElement, live = d.getElementById("live"), each = [].forEach;
  function make(text, run) {
    var b = d.createElement("button");
    b.type = "button"; b.textContent = text; b.onclick = run;
    return b;
  }
  each.call(d.querySelectorAll("table[data-sort]"), function (table) {
    var body = table.tBodies[0], heads = table.tHead.rows[0].cells;
    each.call(heads, function (head, i) {
      function key(row) {
        var cell = row.cells[i], v = cell.dataset.v;
        return v === undefined ? cell.textContent.trim() : v === "" ? null : +v;
      }
      var name = head.textContent;
      head.textContent = "";
      head.appendChild(make(name, function () {
        var up = head.getAttribute("aria-sort") !== "ascending";
        each.call(heads, function (h) { h.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        [].slice.call(body.rows).sort(function (a, b) {
          var x = key(a), y = key(b);
          if (x === null || y === null) return (x === null) - (y === null);
          var c = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(y);
          return up ? c : -c;
        }).forEach(function (row) { body.appendChild(row); });
        live.textContent = "Sorted by " + name + (up ? ", ascending" : ", descending") + "; undefined values last.";
      }));
    });
  });
  each.call(d.querySelectorAll(".sorthint"), function (s) { s.textContent = " Column heads sort the tables."; });
  var toc = d.getElementById("toc");
  toc.addEventListener("click", function (e) {
    if (e.target.closest("a") && toc.hidePopover) try { toc.hidePopover(); } catch (_) {}
  });
  if ("IntersectionObserver" in window) {
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        each.call(toc.querySelectorAll("a"), function (a) {
          if (a.hash === "#" + entry.target.id) a.setAttribute("aria-current", "true");
          else a.removeAttribute("aria-current");
        });
      });
    }, { rootMargin: "-15% 0px -75%" });
    each.call(d.querySelectorAll("main section"), function (s) { seen.observe(s); });
  }
  function dark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function label() { theme.textContent = dark() ? "Light view" : "Dark view"; }
  var theme = make("", function () { root.dataset.theme = dark() ? "light" : "dark"; label(); });
  label();
  d.getElementById("theme").appendChild(theme);
  var shut = [];
  addEventListener("beforeprint", function () {
    shut = [].slice.call(d.querySelectorAll("details:not([open])"));
    shut.forEach(function (x) { x.open = true; });
  });
  addEventListener("afterprint", function () { shut.forEach(function (x) { x.open = false; }); });
})();
