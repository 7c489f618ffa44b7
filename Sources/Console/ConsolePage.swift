import ClawWire
import HTTPService

/// The page and its files. They are the same for everybody and hold no data.
enum ConsolePage {
    private struct Asset {
        let name: String
        let type: String
        let body: [UInt8]

        /// The name says what is in it, so that it may be kept for ever.
        init(_ stem: String, _ suffix: String, type: String, _ body: [UInt8]) {
            name = "\(stem).\(Digest(hashing: body).hex.prefix(16)).\(suffix)"
            self.type = type
            self.body = body
        }
    }

    private static let style = Asset(
        "console", "css", type: "text/css; charset=utf-8", PackageResources.console_css)
    /// One program in parts, in the order of their needs.
    private static let program = Asset(
        "console", "js", type: "text/javascript; charset=utf-8",
        PackageResources.dom_js + PackageResources.feed_js + PackageResources.views_js + PackageResources.request_js
            + PackageResources.stop_js + PackageResources.start_js)
    private static let icon = Asset("icon", "svg", type: "image/svg+xml", PackageResources.icon_svg)

    private static let assets = [style, program, icon]

    private static let page = Array(
        String(decoding: PackageResources.console_html, as: UTF8.self)
            .replacing("{style}", with: style.name).replacing("{program}", with: program.name)
            .replacing("{icon}", with: icon.name).utf8)

    /// The page.
    static let response = ConsoleAnswer.file(page, type: "text/html; charset=utf-8", caching: "no-cache")

    /// A file of the page by its name.
    static func asset(_ name: String) -> HTTPServiceResponse {
        guard let asset = assets.first(where: { $0.name == name }) else {
            return ConsoleAnswer.refusal(404, "no_such_file", "there is no such file; load /console again")
        }
        return ConsoleAnswer.file(asset.body, type: asset.type, caching: "public, max-age=31536000, immutable")
    }
}
