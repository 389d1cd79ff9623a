package main

import "slices"

// mutation is a deliberate error in the services or the keeper, and an interleaving in which the error leads to a
// violation.
type mutation struct {
	name         string // describes the error
	edits        []edit // applied after shortTimes
	redisArgs    []string
	interleaving *interleaving
	want         string // the violation must contain this string
}

// Files that several mutations edit.
const (
	reserveLua = "common/participant/lua/reserve.lua"
	releaseLua = "common/participant/lua/release.lua"
	refundLua  = "common/participant/lua/refund.lua"
	stepsGo    = "common/participant/participant.go"
	checkoutGo = "order/saga/coordinator.go"
	beginGo    = "order/saga/begin.go"
	abortGo    = "order/saga/compensate.go"
	recoveryGo = "order/saga/recovery.go"
	onceLua    = "common/idempotency/lua/once.lua"
	confirmLua = "common/participant/lua/confirm.lua"
)

// eachCheckout is a statement that each checkout executes. Mutations insert code after this statement.
const eachCheckout = `	trace.FromContext(ctx).Set("checkout.attempt", a.id)
`

// anyPeer makes an instance accept all shards of its peers.
var anyPeer = edit{"common/peer/health.go", "p.shards.VerifyPeer(ctx, shardMap)", "true, error(nil)"}

// noReports makes payment accept an empty Redis although order has reported the ID of the shard.
var noReports = edit{"payment: common/redis/identities.go", `case shard.reported != "":`, `case false:`}

// Parts of the violations that package check reports. TestCheckersReportViolations checks that the source of package
// check contains these strings.
const (
	heldForever  = "belongs to no paid order"
	notConserved = ": off by "
	holdsNothing = "but its attempt reserved"
	neverExpires = "without expiry"
	wasRefused   = "every checkout that could have paid the order was refused"
	wrongState   = "which is not a final state"
	wasPaid      = "a checkout got 200"
	expiresLate  = ": the record expires in "
	isLost       = "the order is lost"
)

var mutations = slices.Concat(protocolMutations, failoverMutations)

// protocolMutations cover every rule of the protocol and all mutations of the model in test/model, except three. These
// three concern messages that arrive after a batch_init, for which the system promises nothing:
//
//   - responds 4xx for a superseded attempt
//   - batch_init clears unconfirmed
//   - batch_init stores no fresh attempt
var protocolMutations = []mutation{
	{name: "release leaves no tombstone", interleaving: reserveAfterClose, want: heldForever, edits: []edit{
		{releaseLua, `redis.call('SET', KEYS[1], table.concat(released, ' '),`, `if not code then
  return { RELEASED }
end
redis.call('SET', KEYS[1], table.concat(released, ' '),`}}},
	{name: "a refusal is not recorded", interleaving: refusedReserveDuplicated, want: heldForever, edits: []edit{
		{reserveLua, "  redis.call('SET', KEYS[1], table.concat({ REFUSED, reason, line, available }, ' '), 'PXAT', " +
			"ms(ARGV[1] + RETENTION_MS))\n", ``}}},
	{name: "releases before the abort is durable", interleaving: coordinatorResumesDuringRelease,
		want: holdsNothing, edits: []edit{
			{abortGo, `	found, err := retryUntilDone(ctx, co.steps.abort`, `	co.stock.Release(ctx, a.stock())
	co.payment.Release(ctx, a.credit())
	found, err := retryUntilDone(ctx, co.steps.abort`}}},
	{name: "a reservation expires before confirm", interleaving: coordinatorDiesBeforeCommit,
		want: notConserved, edits: []edit{
			{reserveLua, `return { RESERVED }
`, `redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ARGV[1] - 2000))
return { RESERVED }
`}}},
	{name: "responds 4xx before close", interleaving: slowRelease, want: "got 409, but", edits: []edit{
		{checkoutGo, `		case store.CodeAborting:
			return co.release(ctx, a)
`, `		case store.CodeAborting:
			go co.release(context.WithoutCancel(ctx), a)
			return a.refusal()
`}}},
	{name: "a tombstone expires before the deadline", interleaving: reserveAfterClose,
		want: heldForever, edits: []edit{
			{releaseLua, "ms(ARGV[1] + RETENTION_MS)", "ms(ARGV[1] - 2500)"}}},
	{name: "reserve ignores the deadline", interleaving: reserveAfterTombstone, want: heldForever, edits: []edit{
		{reserveLua, "now_ms() > tonumber(ARGV[1])", "now_ms() < 0"}}},
	{name: "commit ignores the attempt", interleaving: commitAfterNextBegin, want: holdsNothing, edits: []edit{
		{"order/store/lua/commit.lua", "if state == 'RUNNING' and attempt == ARGV[1] then", "if state == 'RUNNING' then"}}},
	{name: "begin is not stored", interleaving: plainCheckout, want: heldForever, edits: []edit{
		{"order/store/lua/begin.lua",
			`redis.call('HSET', KEYS[1], 's', 'RUNNING', 'a', attempt, 'dl', deadline, 'lease', lease, 'by', ARGV[5], 'h', h)
`, ``},
		{"order/store/lua/begin.lua", `redis.call('ZADD', KEYS[2], lease, ARGV[3])
`, ``}}},
	{name: "the order's Redis does not persist, and no check refuses it", interleaving: orderRedisDies,
		want: isLost, redisArgs: []string{"--appendonly", "no"}, edits: []edit{
			{"common/redis/settings.go", "if len(wrong) > 0 {", "if len(wrong) > len(RequiredSettings) {"},
			{"common/redis/identities.go", "	if found.ID == \"\" {", `	if shard.lineage != nil {
		return Verified, nil
	}
	if found.ID == "" {`},
			{"common/redis/sequence.go", "if sequence <= seen {", "if sequence <= 0 {"},
		}},
	{name: "reserve is not stored", interleaving: plainCheckout, want: holdsNothing, edits: []edit{
		{reserveLua, "redis.call('MSET', KEYS[1], table.concat(reserved, ' '), unpack(left))", ``}}},
	{name: "refuses without abort after stock was reserved", interleaving: stockRefuses,
		want: "got 409, but the attempt holds", edits: []edit{
			{checkoutGo, "co.abort(ctx, a, a.stockReason(stock))", "co.refuse(ctx, a, a.stockReason(stock))"}}},
	{name: "skips the release when one of several stock shards refuses", interleaving: stockRefuses,
		want: "got 409, but the attempt holds", edits: []edit{
			{checkoutGo, "a.stockHoldsNothing = len(stock.Shards) == 1", "a.stockHoldsNothing = true"}}},
	{name: "releases payment before stock", interleaving: betweenReleases,
		want: "holds stock without credit", edits: []edit{
			{abortGo, "co.stock.Release(releasing, a.stock())", "co.payment.Release(releasing, a.credit()) /* stock */"},
			{abortGo, "return co.payment.Release(releasing, a.credit()) })", "return co.stock.Release(releasing, a.stock()) })"},
		}},
	{name: "begin ignores the previous attempt", interleaving: beginAfterNextClose,
		want: "without a new request, the order is RUNNING", edits: []edit{
			{"order/store/lua/begin.lua", "elseif attempt ~= ARGV[2] then", "elseif attempt == 'never' then"}}},
	{name: "refund ignores its not-after time", interleaving: refundAfterRecordExpired,
		want: notConserved, edits: []edit{
			{refundLua, "now_ms() > tonumber(ARGV[1])", "now_ms() < 0"}}},
	{name: "a refund record expires before CANCELLED", interleaving: refundAfterRecordExpired,
		want: notConserved, edits: []edit{
			{refundLua, `redis.call('SET', KEYS[1], table.concat(refunded, ' '))
`, `redis.call('SET', KEYS[1], table.concat(refunded, ' '), 'PX', 1)
`}}},
	{name: "a refund record expires before the last not-after", interleaving: refundAfterRecordExpired,
		want: notConserved, edits: []edit{
			{"order/store/lua/cancelled.lua", "ms(now + REFUND_WINDOW_MS + RETENTION_MS)", "ms(now + 1)"}}},
	{name: "cancelled ignores the attempt", interleaving: cancelledAfterNextCancel, want: notConserved, edits: []edit{
		{"order/store/lua/cancelled.lua", "f[1] == 'REFUNDING' and f[2] == ARGV[1]", "f[1] == 'REFUNDING'"}}},
	{name: "refund reuses the reservation's record", interleaving: plainCancel, want: notConserved, edits: []edit{
		{stepsGo, `refundSuffix = ":refund"`, `refundSuffix = ""`}}},
	{name: "abort changes a PAID order", interleaving: commitAfterClaim,
		want: wasPaid, edits: []edit{
			{"order/store/lua/abort.lua", "if f[1] == 'RUNNING' and", "if (f[1] == 'RUNNING' or f[1] == 'PAID') and"}}},
	{name: "confirms before commit", interleaving: coordinatorDiesBeforeCommit, want: notConserved, edits: []edit{
		{checkoutGo, `	stock := api.Outcome{Code: api.Reserved}`,
			`	c := api.Confirmation{Record: a.id, Until: a.deadline - 2000, Shards: credit.Shards}
	co.payment.Confirm(ctx, []api.Confirmation{c})
	stock := api.Outcome{Code: api.Reserved}`}}},
	{name: "reserve checks the balance before its record", interleaving: reserveReplyLost,
		want: notConserved, edits: []edit{
			{reserveLua, `if record then
`, `for i = 2, #KEYS - 1 - GUARDED do
  if tonumber(have[i] or 0) < tonumber(ARGV[i]) then
    record = nil
  end
end
if record then
`}}},
	{name: "responds 200 before commit", interleaving: plainCheckout,
		want: "got 200, but the order is RUNNING", edits: []edit{
			{checkoutGo, `	found, err := retryUntilDone(ctx, co.steps.commit`, `	if ctx := context.WithoutCancel(ctx); true {
		time.AfterFunc(time.Second, func() { co.store.Commit(ctx, a.orderID, a.id, stock.Shards, credit.Shards, a.steps) })
		return nil
	}
	found, err := retryUntilDone(ctx, co.steps.commit`}}},
	{name: "the cart changes during checkout", interleaving: cartChangesDuringCheckout,
		want: holdsNothing, edits: []edit{
			{"order/store/lua/add_item.lua", "elseif f[1] ~= 'OPEN' then", "elseif f[1] == 'never' then"}}},
	{name: "remove deletes an undecided order", interleaving: cartChangesDuringCheckout,
		want: heldForever, edits: []edit{
			{"order/store/lua/remove.lua", "elseif state ~= 'OPEN' then", "elseif state == 'never' then"}}},
	{name: "recovery ignores ABORTING", interleaving: coordinatorDiesAfterAbort,
		want: `is "ABORTING", ` + wrongState, edits: []edit{
			{"order/store/lua/abort.lua", "redis.call('ZADD', KEYS[2], ms(now + ARGV[4]), ARGV[2])",
				"redis.call('ZREM', KEYS[2], ARGV[2])"}}},
	{name: "recovery ignores REFUNDING", interleaving: coordinatorDiesAfterCancel,
		want: `is "REFUNDING", ` + wrongState, edits: []edit{
			{"order/store/lua/cancel.lua", "  redis.call('ZADD', KEYS[2], ms(now + ARGV[3]), ARGV[2])\n", ""}}},
	{name: "batch_init resets an undecided order", interleaving: batchInitDuringCheckout,
		want: heldForever, edits: []edit{
			{"order/store/batch.go", "Check: s.refuseUndecided,", "Check: func(context.Context, int) error { return nil },"},
			{"order/store/lua/batch_init.lua", "if refusal then", "if false then"}}},

	// Resource leaks.
	{name: "each checkout leaks a goroutine", interleaving: manyCheckouts, want: "goroutines when idle", edits: []edit{
		{checkoutGo, eachCheckout, eachCheckout + `	go func() { <-context.WithoutCancel(ctx).Done() }()
`}}},
	{name: "each checkout leaks an open file", interleaving: manyCheckouts,
		want: "open files when idle", edits: []edit{
			{checkoutGo, eachCheckout, eachCheckout + `	syscall.Open("/dev/null", syscall.O_RDONLY, 0)
`},
			{checkoutGo, `	"sync/atomic"
`, `	"sync/atomic"
	"syscall"
`}}},
	{name: "each checkout leaks memory", interleaving: manyCheckouts,
		want: "KiB of live heap when idle", edits: []edit{
			{checkoutGo, eachCheckout, eachCheckout + `	attempts.Store(a.id, strings.Repeat(a.id, 1000))
`},
			{checkoutGo, `	"sync/atomic"
`, `	"strings"
	"sync"
	"sync/atomic"
`},
			{checkoutGo, `// decide runs the saga`, `var attempts sync.Map

// decide runs the saga`}}},
	{name: "recovery never confirms", interleaving: plainCheckout, want: "not everything is confirmed", edits: []edit{
		{recoveryGo, `		workers.Go(func() { r.watch(ctx, shard, r.confirmDue) })
`, ``}}},
	{name: "confirm sets no expiry", interleaving: plainCheckout, want: neverExpires, edits: []edit{
		{confirmLua, "redis.call('PEXPIREAT', KEYS[i], ARGV[i], 'NX')", "1"}}},
	{name: "confirm sets the expiry a day too late", interleaving: plainCheckout,
		want: expiresLate, edits: []edit{
			{confirmLua, "ARGV[i], 'NX')", "string.format('%.0f', ARGV[i] + 86400000), 'NX')"}}},
	{name: "a tombstone never expires", interleaving: stockRefuses, want: neverExpires, edits: []edit{
		{releaseLua, "table.concat(released, ' '), 'PXAT', ms(ARGV[1] + RETENTION_MS))", "RELEASED)"}}},
	{name: "an idempotency record never expires", interleaving: writesRetriedWithKeys,
		want: neverExpires, edits: []edit{
			{onceLua, "redis.call('EXPIRE', record, seconds)", ""}}},

	{name: "idempotency records are not looked up", interleaving: writesRetriedWithKeys,
		want: notConserved, edits: []edit{
			{onceLua, "if found[1] then", "if found[1] == 'never' then"}}},

	// Rules for requests that the gateway retries on another instance.
	{name: "a refused request begins again", interleaving: instanceResumesAfterRefusal, want: wasRefused, edits: []edit{
		{"order/saga/attempt.go", "a[:named] == b[:named]", "a == b"}}},
	{name: "a checkout begins after its client disconnected", interleaving: instanceResumesAfterTwoRefusals,
		want: wasRefused, edits: []edit{
			{beginGo, `if !joined && !r.connected() {`, `if false {`},
			{beginGo, `case !r.connected():`, `case false:`}}},

	// Rules for the orders of an instance that has died.
	{name: "begin does not store the order's coordinator", interleaving: orphanRecovered,
		want: "was recovered only after the lease", edits: []edit{
			{"order/store/lua/begin.lua", ", 'by', ARGV[5], 'h'", ", 'h'"}}},
	{name: "a retry does not resume the attempt of its request", interleaving: retryResumes,
		want: "only after the lease", edits: []edit{
			{"order/store/lua/begin.lua", "string.sub(attempt, 1, NAME_LENGTH) == string.sub(ARGV[1], 1, NAME_LENGTH)",
				"attempt == ARGV[1]"}}},
	{name: "reserve refuses although its caller waits", interleaving: orphanAwaited,
		want: "recovery was about to return", edits: []edit{
			{reserveLua, "return waits and { SHORT } or refuse(", "return refuse("}}},

	// Rules for a Redis that has lost data.
	{name: "the credit is not checked again before the commit", interleaving: creditLost,
		want: "the checkout got 200", edits: []edit{
			{"order/saga/credit.go", "	return co.reserveCredit(ctx, a)\n", "	return credit\n"}}},
	{name: "an empty Redis replaces one that is in use", interleaving: creditLost, want: "the checkout got 4",
		edits: []edit{
			{"payment: common/redis/identities.go", `case ids.known(index) != "":`, `case false:`},
			{"payment: common/redis/identities.go", `case shard.id != "" && shard.id != found.ID && !found.replaces(shard.id):`,
				`case false:`},
			noReports, anyPeer}},
	{name: "a peer with another Redis is accepted", interleaving: paymentLost, want: "the checkout got 4",
		edits: []edit{noReports, anyPeer}},
	{name: "a service ignores what its callers know", interleaving: paymentLost, want: "a request got 404",
		edits: []edit{noReports}},
	{name: "the write sequence is not compared", interleaving: sequenceBack,
		want: "was acknowledged", edits: []edit{
			{"payment: common/redis/sequence.go", "if sequence <= seen {", "if false {"}}},

	// Rules for direct payments and batch_init.
	{name: "reserve ignores a direct payment in progress", interleaving: checkoutDuringPayment,
		want: "was charged twice", edits: []edit{
			{reserveLua, "if now_ms() <= (tonumber(string.match(paid, '^%?[^:]+:(%d+)$')) or 0) then", "if false then"},
			{reserveLua, "  redis.call('HDEL', KEYS[n + 1], ARGV[n + 1])", "  local _"}}},
	{name: "pay_order charges although its payment was lost", interleaving: checkoutAfterLostPayment,
		want: "was charged twice", edits: []edit{
			{"payment/lua/pay_order.lua", "elseif token ~= ARGV[3] or now_ms() > tonumber(expiry) then", "elseif false then"}}},
	{name: "stop_payment does not stop", interleaving: paymentAfterCheckout, want: "is still in progress", edits: []edit{
		{"payment/lua/stop_payment.lua", "if token == ARGV[2] then", "if false then"}}},
	{name: "reserve ignores the marker of batch_init", interleaving: checkoutDuringOverwrite, want: notConserved,
		edits: []edit{{reserveLua, "if overwriting and string.find(KEYS[i], ':%d+$') then", "if false then"}}},
	{name: "batch_init writes without its marker", interleaving: overwriteInterrupted, want: notConserved,
		edits: []edit{{"common/participant/lua/batch_init.lua", "if redis.call('GET', KEYS[#KEYS]) ~= ARGV[1] then",
			"if false then"}}},
}
