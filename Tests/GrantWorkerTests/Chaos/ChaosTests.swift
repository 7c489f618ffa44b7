import DevStack
import Foundation
import Testing

/// Workers against a real database and a real broker while things go wrong. Each test ends with the checker.
///
/// They take minutes and want the machine for themselves, so they run when they are asked for: `./dev test --chaos`. What
/// every run covers of the same kind, worker processes that are killed, frozen and retired under duplicates, is in
/// `PlaygroundTests`.
@Suite(
    .enabled(if: ProcessInfo.processInfo.environment["CLAWGRANT_CHAOS"] == "1", "runs with ./dev test --chaos"),
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .serialized, .timeLimit(.minutes(3)))
enum ChaosTests {}
