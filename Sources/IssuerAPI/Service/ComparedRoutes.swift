import HTTPService

/// Routes that tell what the ledger holds: they tell nothing before it was held against its topics, because a ledger that
/// was restored to an earlier instant has lost revocations.
struct ComparedRoutes: RouteGroup {
    let group: any RouteGroup
    /// Whether it was.
    let isLevel: @Sendable () -> Bool

    var routes: [Route] {
        group.routes.map { route in
            Route(
                route.method, route.template, access: route.access, bodyBytes: route.bodyBytes, errors: route.errors,
                sharing: route.sharing
            ) { [isLevel] request in
                guard isLevel() else {
                    return APIFailure(
                        .unavailable, code: "LEDGER_NOT_COMPARED",
                        "the database was not held against the topics yet", retryAfter: 1
                    ).response(route.errors)
                }
                return await route.respond(request)
            }
        }
    }
}
