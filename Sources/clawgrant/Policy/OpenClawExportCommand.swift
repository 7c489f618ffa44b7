import ArgumentParser
import ClawWire
import OpenClaw

/// `clawgrant policy openclaw export`.
struct OpenClawExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Print the OpenClaw configuration that enforces a WPC.",
        discussion: "A WPC that names a tool OpenClaw does not have is refused. docs/openclaw.md has the mapping.")

    @OptionGroup var policy: PolicyOptions

    @Option(
        name: .customLong("agent"), parsing: .singleValue,
        help: ArgumentHelp("Repeat the settings for this agent; may be repeated.", valueName: "id"))
    var agents: [String] = []

    @Option(
        name: .customLong("layout"), help: "Where agents stand: entries, or list for older releases.",
        transform: Self.layout)
    var layout = OpenClawExport.AgentLayout.entries

    @Flag(name: .customLong("json"), help: "Print JSON without comments instead of JSON5.")
    var isJSON = false

    private static func layout(_ text: String) throws -> OpenClawExport.AgentLayout {
        guard let layout = OpenClawExport.AgentLayout(rawValue: text) else {
            throw ValidationError("entries or list was expected")
        }
        return layout
    }

    mutating func run() async throws {
        guard policy.proxies.count <= 1 else {
            throw ValidationError("an export has one --proxy")
        }
        let export: OpenClawExport
        do {
            export = try OpenClawExport(
                try policy.load(), agents: agents, layout: layout, proxy: policy.proxies.first)
        } catch let error as OpenClawError {
            throw CommandFailure.usage("\(policy.path): \(error); --proxy names the proxy")
        }
        if isJSON { Console.out(.object(export.fragment)) } else { Console.out(String(export.text.dropLast())) }
    }
}
