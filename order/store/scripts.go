package store

import (
	"embed"
	"fmt"
	"slices"

	"checkout/common/idempotency"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// Code is the result of a script of the saga. The header of each script documents which codes it returns.
type Code int

// The results of the saga's scripts.
const (
	CodeNotFound Code = iota
	CodeStarted
	CodeStale
	CodeResumed
	CodeBusy
	CodeAborting
	CodeClosed // from "begin": the given attempt is closed; from "close": always; from other scripts: the order is OPEN
	CodePaid
	CodeRefunding
	CodeCancelled
	CodeRunning
)

// String returns the name of the code in the scripts.
func (c Code) String() string {
	names := [...]string{
		"NOT_FOUND", "STARTED", "STALE", "RESUMED", "BUSY", "ABORTING", "CLOSED", "PAID", "REFUNDING", "CANCELLED", "RUNNING",
	}
	if c < 0 || int(c) >= len(names) {
		return fmt.Sprintf("code %d", int(c))
	}
	return names[c]
}

// The codes that the cart's scripts return; see the header of each script. Two codes may have the same value, but not
// within one script.
const (
	cartNotFound = iota
	cartDone
	cartNotOpen
	cartFull
	cartLimit

	cartTaken       = cartNotFound
	cartUndecided   = cartNotFound
	cartInterrupted = cartNotOpen
	cartNotInCart   = cartFull
	cartTooFew      = cartLimit
)

// AttemptNameLength is the length of the prefix that the attempt IDs of one request share.
const AttemptNameLength = len("01234567-89ab-4def-")

// codeOf defines the Lua function code_of, which returns the code of a stored state.
var codeOf = redis.Definition{Name: "code_of", Lua: fmt.Sprintf(
	"local function code_of(state) "+
		"return ({ OPEN = %d, RUNNING = %d, ABORTING = %d, PAID = %d, REFUNDING = %d, CANCELLED = %d })[state] or %d end",
	CodeClosed, CodeRunning, CodeAborting, CodePaid, CodeRefunding, CodeCancelled, CodeNotFound)}

// overwriteRefusal defines the Lua function overwrite_refusal, which returns an error code if a batch_init must not
// overwrite or delete the orders KEYS[1] to KEYS[#KEYS - 1], and nil otherwise. The last key is the marker.
var overwriteRefusal = redis.Definition{Name: "overwrite_refusal", Lua: fmt.Sprintf(
	"local function overwrite_refusal(batch) "+
		"if redis.call('GET', KEYS[#KEYS]) ~= batch then return %d end "+
		"for i = 1, #KEYS - 1 do local state = redis.call('HGET', KEYS[i], 's') "+
		"if state == 'RUNNING' or state == 'ABORTING' or state == 'REFUNDING' then return %d end end end",
	cartInterrupted, cartUndecided)}

// Prelude has the definitions that the scripts of the store may use.
var Prelude = protocol.Prelude(codeOf, overwriteRefusal, withEvent,
	protocol.Number("NAME_LENGTH", AttemptNameLength),
	protocol.Number("NOT_FOUND", CodeNotFound),
	protocol.Number("STARTED", CodeStarted),
	protocol.Number("STALE", CodeStale),
	protocol.Number("RESUMED", CodeResumed),
	protocol.Number("BUSY", CodeBusy),
	protocol.Number("ABORTING", CodeAborting),
	protocol.Number("CLOSED", CodeClosed),
	protocol.Number("PAID", CodePaid),
	protocol.Number("REFUNDING", CodeRefunding),
	protocol.Number("CANCELLED", CodeCancelled),
	protocol.Number("RUNNING", CodeRunning),

	protocol.Number("DONE", cartDone),
	protocol.Number("NOT_OPEN", cartNotOpen),
	protocol.Number("FULL", cartFull),
	protocol.Number("LIMIT", cartLimit),
	protocol.Number("TAKEN", cartTaken),
	protocol.Number("NOT_IN_ORDER", cartNotInCart),
	protocol.Number("TOO_FEW", cartTooFew),
)

//go:embed lua/*.lua
var files embed.FS

func script(name string) *redis.Script { return redis.MustScript(files, name, Prelude) }

var (
	createScript     = script("create")
	addItemScript    = script("add_item")
	removeItemScript = script("remove_item")
	removeScript     = script("remove")
	batchInitScript  = script("batch_init")
	deleteScript     = script("delete")
	undecidedScript  = script("undecided")

	beginScript           = script("begin")
	commitScript          = script("commit")
	refuseScript          = script("refuse")
	abortScript           = script("abort")
	closeScript           = script("close")
	claimScript           = script("claim")
	cancelScript          = script("cancel")
	cancelledScript       = script("cancelled")
	dueScript             = script("due")
	orphansScript         = script("orphans")
	takeUnconfirmedScript = script("take_unconfirmed")
	confirmedScript       = script("confirmed")
	backlogScript         = script("backlog")
	historyScript         = script("history")
	listScript            = script("list")
)

// Scripts are all scripts that a Store runs.
var Scripts = slices.Concat([]*redis.Script{
	createScript, addItemScript, removeItemScript, removeScript, batchInitScript, deleteScript, undecidedScript,
	beginScript, commitScript, refuseScript, abortScript, closeScript, claimScript, cancelScript, cancelledScript,
	dueScript, orphansScript, takeUnconfirmedScript, confirmedScript, backlogScript, historyScript, listScript,
}, idempotency.Scripts(createScript, addItemScript, removeItemScript, removeScript))
