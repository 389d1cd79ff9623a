//go:build faults

package clock

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// offset is the result of Offset in nanoseconds. The environment variable CLOCK_OFFSET, such as "-45s", sets its
// initial value.
var offset = func() *atomic.Int64 {
	d, _ := time.ParseDuration(os.Getenv("CLOCK_OFFSET"))
	n := new(atomic.Int64)
	n.Store(int64(d))
	return n
}()

// Offset returns how far the clock of this process is ahead of the host's clock.
func Offset() time.Duration { return time.Duration(offset.Load()) }

// ShiftUUID adds Offset to the timestamp of a version 7 UUID. The timestamp is in milliseconds, in the first 6 bytes of
// the UUID.
func ShiftUUID(timestamp []byte) {
	var wide [8]byte
	copy(wide[2:], timestamp)
	binary.BigEndian.PutUint64(wide[:], binary.BigEndian.Uint64(wide[:])+uint64(Offset().Milliseconds()))
	copy(timestamp, wide[2:])
}

// Control responds with the offset as text. If the query parameter "offset" is set, for example to "-45s", Control
// first changes the offset.
func Control(w http.ResponseWriter, r *http.Request) {
	if text := r.URL.Query().Get("offset"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		offset.Store(int64(d))
	}
	fmt.Fprintln(w, Offset())
}
