import ClawWire
import Foundation
import GrantVerifier
import GrantWorker
import HTTPService
import Primitives

/// Signed status lists (Token Status List, an IETF draft of the OAuth group), made of the ledger when somebody asks.
final class StatusListRoutes: RouteGroup {
    /// Where lists are served when their address has no path.
    static let standardPath = "/statuslists"

    private struct Held {
        let lists: [Int64: StatusListMaker.Made]
        let at: Timestamp
    }

    private let maker: StatusListMaker
    private let settings: WorkerConfiguration.StatusLists
    private let path: String
    private let clock: @Sendable () -> Timestamp
    private let held = Lock<Held?>(nil)
    private let making = Lock<Task<Bool, Never>?>(nil)

    init(
        maker: StatusListMaker, settings: WorkerConfiguration.StatusLists, clock: @escaping @Sendable () -> Timestamp
    ) {
        self.maker = maker
        self.settings = settings
        self.clock = clock
        let path = URLComponents(string: settings.uriBase)?.path ?? ""
        self.path = path.isEmpty ? Self.standardPath : path
    }

    /// Address of the list of lists.
    var aggregation: String { settings.uriBase }

    var routes: [Route] {
        [
            Route("GET", path, access: .open, bodyBytes: 0, sharing: .anyOrigin) { await self.all($0) },
            Route("GET", "\(path)/{list}", access: .open, bodyBytes: 0, sharing: .anyOrigin) { await self.one($0) },
        ]
    }

    private func all(_ request: RouteRequest) async -> HTTPServiceResponse {
        let now = clock()
        guard let held = await lists(at: now) else { return Self.unavailable }
        let body: JSONValue = [
            "status_lists": .array(held.lists.sorted { $0.key < $1.key }.map { .string($0.value.list.uri) })
        ]
        return .document(
            JSONWriter.bytes(body, order: .asGiven), maximumAge: settings.timeToLive, to: request.http)
    }

    private func one(_ request: RouteRequest) async -> HTTPServiceResponse {
        guard !request.query.contains(where: { $0.name == "time" }) else {
            return APIFailure(.notImplemented, "lists of the past are not kept; ask without time").response()
        }
        let now = clock()
        guard let held = await lists(at: now) else { return Self.unavailable }
        guard let number = request.parameters["list"].flatMap({ Int64($0) }), let made = held.lists[number] else {
            return APIFailure(.notFound, "there is no such list; lists end with their last token").response()
        }
        return .document(
            Array(made.signed.utf8), mediaType: StatusListToken.mediaType,
            maximumAge: settings.timeToLive - (now.seconds - held.at.seconds), to: request.http)
    }

    private static var unavailable: HTTPServiceResponse {
        APIFailure(.unavailable, "the lists cannot be made now; try again", retryAfter: 5).response()
    }

    /// The lists, made anew when they are older than the interval between two versions: by one request while others
    /// wait for it. Where that fails they are given out for as long as they may be kept.
    private func lists(at now: Timestamp) async -> Held? {
        if let held = held.withLock({ $0 }), now.microseconds - held.at.microseconds < interval, now >= held.at {
            return held
        }
        let task = making.withLock { making in
            if let making { return making }
            let task = Task { await self.make(at: now) }
            making = task
            return task
        }
        _ = await task.value
        let held = held.withLock { $0 }
        return held.flatMap { now.seconds - $0.at.seconds < settings.timeToLive ? $0 : nil }
    }

    private var interval: Int64 { Int64(settings.interval / .microseconds(1)) }

    private func make(at now: Timestamp) async -> Bool {
        defer { making.withLock { $0 = nil } }
        guard let made = try? await maker.lists(at: now) else { return false }
        let fresh = Held(lists: Dictionary(made.map { ($0.number, $0) }) { first, _ in first }, at: now)
        held.withLock { $0 = fresh }
        return true
    }
}
