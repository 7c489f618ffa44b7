import Foundation

/// Says which private servers can be run on this machine, for the conditions of tests that need them.
///
/// With `CLAWGRANT_REQUIRE_SERVERS=1`, which `./dev test` sets, every answer is yes: a test then fails with the reason
/// where it would have been skipped otherwise, and a missing program cannot hide behind a green run.
public enum AvailableServers {
    private static let areRequired = ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1"

    /// Whether a private PostgreSQL can be run here, in the usual place for temporary files.
    public static let postgres: Bool = {
        if areRequired { return true }
        guard let directory = try? TemporaryDirectory(prefix: "claw-pg") else { return false }
        return (try? PrivatePostgres(directory: directory.path("pg"))) != nil
    }()

    /// Whether the clock of a child can be set; see ``FakeClock``.
    public static let fakeClock = areRequired || FakeClock.library != nil

    /// Whether the program of this kind of broker is installed.
    public static func broker(_ kind: PrivateBroker.Kind) -> Bool {
        areRequired || BrokerTools.find().has(kind)
    }
}
