package main

// mutant is the product with one deliberate mistake, and the drill by which it is caught.
type mutant struct {
	name      string // as in the protocol
	edits     []edit // made after quickTimes
	redisArgs []string
	drill     *drill
	want      string // part of what the checkers must say of it
}

// Files that mutants change.
const (
	reserveLua = "common/participant/lua/reserve.lua"
	releaseLua = "common/participant/lua/release.lua"
	refundLua  = "common/participant/lua/refund.lua"
	stepsGo    = "common/participant/store.go"
	checkoutGo = "order/checkout.go"
	abortGo    = "order/abort.go"
	recoveryGo = "order/recovery.go"
	onceLua    = "common/idempotency/lua/once.lua"
	confirmLua = "common/participant/lua/confirm.lua"
)

// What checkers say of mutants.
const (
	heldForever  = "is owned by no paid order"
	notConserved = " is wrong"
	holdsNothing = "its attempt has reserved"
	neverEnds    = "never ends"
	wasRefused   = "every checkout that could have paid it was refused"
)

// mutants are every mistake that the protocol names, and those that only the model of it (test/model) does, but for three of
// batch_init that concern what outlives a reset, which is no promise of the product's: a superseded attempt answered 4xx,
// `unconfirmed` cleared, an attempt that is not kept.
var mutants = []mutant{
	{name: "no tombstone", drill: lateReserve, want: heldForever, edits: []edit{
		{releaseLua, `redis.call('SET', KEYS[1], '3',`, `if not code then
  return { 3 }
end
redis.call('SET', KEYS[1], '3',`}}},
	{name: "a refusal that does not stick", drill: refusedTwice, want: heldForever, edits: []edit{
		{reserveLua, `    redis.call('SET', KEYS[1], '2 ' .. reason .. ' ' .. i - 2, 'PXAT', string.format('%.0f', ARGV[1] + 2000))
`, ``}}},
	{name: "release before abort", drill: overtaken, want: holdsNothing, edits: []edit{
		{abortGo, `	state, err := co.steps.abort.untilDone(`, `	co.stock.Release(ctx, a.stock())
	co.payment.Release(ctx, a.credit())
	state, err := co.steps.abort.untilDone(`}}},
	{name: "an end to RESERVED before confirm", drill: orphaned, want: notConserved, edits: []edit{
		{reserveLua, `redis.call('MSET', unpack(left))
`, `redis.call('MSET', unpack(left))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ARGV[1] - 2000))
`}}},
	{name: "4xx before close", drill: slowRelease, want: "409 was answered, and", edits: []edit{
		{checkoutGo, `			a.reason = state.reason
			return co.release(ctx, id, a)
`, `			a.reason = state.reason
			go co.release(context.WithoutCancel(ctx), id, a)
			return refusal(id, a.reason)
`}}},
	{name: "early garbage collection", drill: lateReserve, want: heldForever, edits: []edit{
		{releaseLua, "ARGV[1] + 2000", "ARGV[1] - 2500"}}},
	{name: "no deadline check", drill: veryLateReserve, want: heldForever, edits: []edit{
		{reserveLua, "math.floor(time[2] / 1000) > tonumber(ARGV[1])", "math.floor(time[2] / 1000) < 0"}}},
	{name: "a commit that ignores the attempt", drill: superseded, want: holdsNothing, edits: []edit{
		{"order/lua/commit.lua", "if state == 'RUNNING' and attempt == ARGV[1] then", "if state == 'RUNNING' then"}}},
	{name: "a lost begin", drill: sold, want: heldForever, edits: []edit{
		{"order/lua/begin.lua", `redis.call('HSET', KEYS[1], 's', 'RUNNING', 'a', attempt, 'dl', deadline, 'lease', lease)
`, ``},
		{"order/lua/begin.lua", `redis.call('ZADD', KEYS[2], lease, ARGV[3])
`, ``}}},
	{name: "a lost begin, by a store that keeps nothing", drill: storeDies, want: "the order is lost", redisArgs: []string{"--appendonly", "no"}},
	{name: "a lost reserve", drill: sold, want: holdsNothing, edits: []edit{
		{reserveLua, `redis.call('MSET', unpack(left))
`, ``}}},
	{name: "refuse after stock was asked", drill: refusedByStock, want: "409 was answered, and the attempt holds", edits: []edit{
		{checkoutGo, "return co.abort(ctx, id, a, stockReason(stock))", "return co.refuse(ctx, id, a, stockReason(stock))"}}},
	{name: "nothing released where one of several shards refused", drill: refusedByStock, want: "409 was answered, and the attempt holds", edits: []edit{
		{checkoutGo, "a.stockFree = len(stock.Shards) == 1", "a.stockFree = true"}}},
	{name: "payment released before stock", drill: betweenReleases, want: "holds stock without credit", edits: []edit{
		{abortGo, "co.stock.Release(ctx, a.stock())", "co.payment.Release(ctx, a.credit()) /* stock */"},
		{abortGo, "return co.payment.Release(ctx, a.credit()) })", "return co.stock.Release(ctx, a.stock()) })"},
	}},
	{name: "a begin without after", drill: lateBegin, want: "nobody has asked since, and the order is RUNNING", edits: []edit{
		{"order/lua/begin.lua", "elseif attempt ~= ARGV[2] then", "elseif attempt == 'never' then"}}},
	{name: "a refund without not-after", drill: lateRefund, want: notConserved, edits: []edit{
		{refundLua, "math.floor(time[2] / 1000) > tonumber(ARGV[1])", "math.floor(time[2] / 1000) < 0"}}},
	{name: "a refund record that ends before CANCELLED", drill: lateRefund, want: notConserved, edits: []edit{
		{refundLua, `redis.call('SET', KEYS[1], '5')
`, `redis.call('SET', KEYS[1], '5', 'PX', 1)
`}}},
	{name: "a refund record that ends before the last not-after", drill: lateRefund, want: notConserved, edits: []edit{
		{"order/lua/cancelled.lua", "1000 + 1000 + 2000 + 3000", "1000 + 1"}}},
	{name: "cancelled that ignores the attempt", drill: lateCancelled, want: notConserved, edits: []edit{
		{"order/lua/cancelled.lua", "f[1] == 'REFUNDING' and f[2] == ARGV[1]", "f[1] == 'REFUNDING'"}}},
	{name: "cancel that reuses the reservation's record", drill: calledOff, want: notConserved, edits: []edit{
		{stepsGo, `refundSuffix = ":refund"`, `refundSuffix = ""`}}},
	{name: "abort from PAID", drill: overtaking, want: "a checkout was answered 200", edits: []edit{
		{"order/lua/abort.lua", "if f[1] == 'RUNNING' and", "if (f[1] == 'RUNNING' or f[1] == 'PAID') and"}}},
	{name: "confirm before commit", drill: orphaned, want: notConserved, edits: []edit{
		{checkoutGo, `	stock := co.steps.reserveStock.untilKnown(`, `	co.payment.Confirm(ctx, []api.Confirmation{{Record: a.attempt, Until: a.deadline - 2000, Shards: credit.Shards}})
	stock := co.steps.reserveStock.untilKnown(`}}},
	{name: "balance looked at before the record", drill: replyLost, want: notConserved, edits: []edit{
		{reserveLua, `local record = have[1]
`, `local record = have[1]
for i = 2, #KEYS do
  if tonumber(have[i] or 0) < tonumber(ARGV[i]) then
    record = nil
  end
end
`}}},
	{name: "200 before commit", drill: sold, want: "200 was answered, and the order is RUNNING", edits: []edit{
		{checkoutGo, `	a.creditAt, a.stockAt = credit.Shards, stock.Shards
`, `	a.creditAt, a.stockAt = credit.Shards, stock.Shards
	if ctx := context.WithoutCancel(ctx); true {
		time.AfterFunc(time.Second, func() { co.store.commit(ctx, id, a) })
		return nil
	}
`}}},
	{name: "a cart that changes while it is checked out", drill: changedMeanwhile, want: holdsNothing, edits: []edit{
		{"order/lua/add_item.lua", "elseif f[1] ~= 'OPEN' then", "elseif f[1] == 'never' then"}}},
	{name: "remove of an undecided order", drill: changedMeanwhile, want: heldForever, edits: []edit{
		{"order/lua/remove.lua", "elseif state ~= 'OPEN' then", "elseif state == 'never' then"}}},
	{name: "nobody looks after ABORTING", drill: diesAborting, want: `is "ABORTING", which is no state to stay in`, edits: []edit{
		{"order/lua/abort.lua", "redis.call('ZADD', KEYS[2], string.format('%.0f', time[1] * 1000 + ARGV[4]), ARGV[2])", "redis.call('ZREM', KEYS[2], ARGV[2])"}}},
	{name: "nobody looks after REFUNDING", drill: diesRefunding, want: `is "REFUNDING", which is no state to stay in`, edits: []edit{
		{"order/lua/cancel.lua", "  redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[3]), ARGV[2])\n", ""}}},
	{name: "a batch_init of an undecided order", drill: resetMeanwhile, want: heldForever, edits: []edit{
		{"order/batch.go", `	if err := s.refuseUndecided(ctx, n); err != nil {
		return err
	}
`, ``},
		{"order/lua/batch_init.lua", "if state == 'RUNNING' or state == 'ABORTING' or state == 'REFUNDING' then", "if state == 'none' then"}}},

	// What leaves something behind. The rest is told apart by what each leaves.
	{name: "a goroutine left behind by each checkout", drill: busy, want: "goroutines when all is quiet", edits: []edit{
		{checkoutGo, `	trace.FromContext(ctx).Set("checkout.attempt", a.attempt)
`, `	trace.FromContext(ctx).Set("checkout.attempt", a.attempt)
	go func() { <-context.WithoutCancel(ctx).Done() }()
`}}},
	{name: "a file left open by each checkout", drill: busy, want: "open files when all is quiet", edits: []edit{
		{checkoutGo, `	trace.FromContext(ctx).Set("checkout.attempt", a.attempt)
`, `	trace.FromContext(ctx).Set("checkout.attempt", a.attempt)
	syscall.Open("/dev/null", syscall.O_RDONLY, 0)
`},
		{checkoutGo, `	"sync/atomic"
`, `	"sync/atomic"
	"syscall"
`}}},
	{name: "a connection left open by each call of a peer", drill: busy, want: "open files when all is quiet", edits: []edit{
		{"common/peer/peer.go", "response, err := p.client.Do(request)", `client := *p.client
	client.Transport = client.Transport.(*http.Transport).Clone()
	response, err := client.Do(request)`}}},
	{name: "memory kept for each checkout", drill: busy, want: "KiB of live heap when all is quiet", edits: []edit{
		{checkoutGo, `	trace.FromContext(ctx).Set("checkout.attempt", a.attempt)
`, `	trace.FromContext(ctx).Set("checkout.attempt", a.attempt)
	attempts.Store(a.attempt, strings.Repeat(a.attempt, 1000))
`},
		{checkoutGo, `	"sync/atomic"
`, `	"strings"
	"sync"
	"sync/atomic"
`},
		{checkoutGo, `// decide is the saga`, `var attempts sync.Map

// decide is the saga`}}},
	{name: "nobody confirms", drill: sold, want: "not everything is confirmed", edits: []edit{
		{recoveryGo, `		workers.Go(func() { r.watch(ctx, shard, r.confirmDue) })
`, ``}}},
	{name: "a confirm after which no record ends", drill: sold, want: neverEnds, edits: []edit{
		{confirmLua, "redis.call('PEXPIREAT', KEYS[i], ARGV[i], 'NX')", "1"}}},
	{name: "a confirm after which records end a day later", drill: sold, want: "a record that is kept for another", edits: []edit{
		{confirmLua, "ARGV[i], 'NX')", "string.format('%.0f', ARGV[i] + 86400000), 'NX')"}}},
	{name: "a tombstone that never ends", drill: refusedByStock, want: neverEnds, edits: []edit{
		{releaseLua, "'3', 'PXAT', string.format('%.0f', ARGV[1] + 2000))", "'3')"}}},
	{name: "an idempotency key that never ends", drill: sentAgain, want: "without an end", edits: []edit{
		{onceLua, "redis.call('EXPIRE', record, seconds)", ""}}},

	{name: "an idempotency key that nobody looks up", drill: sentAgain, want: notConserved, edits: []edit{
		{onceLua, "if found[1] then", "if found[1] == 'never' then"}}},

	// What the gateway passes on.
	{name: "a request that is begun anew after it was refused", drill: wakesUnaware, want: wasRefused, edits: []edit{
		{"order/attempt.go", "a[:named] == b[:named]", "a == b"}}},
	{name: "a checkout that is begun for a caller who has left", drill: wakesLate, want: wasRefused, edits: []edit{
		{checkoutGo, `if joined == "" && !web.ClientConnected(ctx) {`, `if false {`},
		{checkoutGo, `case !web.ClientConnected(ctx):`, `case false:`}}},
}
