import DevStack
import Testing

/// Workers against a real database and a real broker while things go wrong. Each test ends with the checker.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .serialized, .timeLimit(.minutes(3)))
enum ChaosTests {}
