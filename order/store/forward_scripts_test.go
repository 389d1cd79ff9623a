package store

import (
	"strings"
	"testing"
)

func TestForwardScripts(t *testing.T) {
	runRows(t, []row{
		{name: "begin NOT_FOUND", call: beginOf("A", ""), want: Result{Code: CodeNotFound}},
		{name: "begin STARTED", before: openOrder, call: beginOf("A", ""), want: started, after: running,
			onRetry: &resumed},
		{name: "begin STARTED after a closed attempt", before: strings.Replace(closed, "a=A", "a=B", 1),
			call: beginOf("A", "B"), want: started, after: strings.Replace(running, " s=RUNNING", " r=credit s=RUNNING", 1),
			onRetry: &resumed},
		{name: "begin PAID, an empty order", before: emptyOrder, call: beginOf("A", ""), want: result(CodePaid, "A", ""),
			after: "o:O a=A k=0 q=0 s=PAID t=0 u=U"},
		{name: "begin STALE", before: closed, call: beginOf("B", ""), want: found(CodeStale)},
		{name: "begin STALE, a late duplicate", before: closed, call: beginOf("B", "C"), want: found(CodeStale)},
		{name: "begin RESUMED, the same attempt", before: running, call: beginOf("A", ""), want: resumed},
		{name: "begin RESUMED, the lease has expired", before: lapsed, call: beginOf("B", ""), want: resumed,
			after: running, onRetry: &busy},
		{name: "begin BUSY", before: running, call: beginOf("B", ""), want: busy},
		{name: "begin ABORTING", before: aborting, call: beginOf("B", ""), want: toAbort},
		{name: "begin CLOSED", before: closed, call: beginOf("A", ""), want: found(CodeClosed)},
		{name: "begin PAID", before: paid, call: beginOf("B", "A"), want: found(CodePaid)},
		{name: "begin REFUNDING", before: refunding, call: beginOf("B", "A"), want: found(CodeRefunding)},
		{name: "begin CANCELLED", before: cancelled, call: beginOf("B", "A"), want: found(CodeCancelled)},

		{name: "commit PAID", before: running, call: commitOf("A"), want: result(CodePaid, "A", ""),
			after: strings.Replace(runningOrder, "RUNNING", "PAID", 1) + "\nunconfirmed A now+90 0,2 1 at now"},
		{name: "commit PAID before", before: paid, call: commitOf("A"), want: found(CodePaid)},
		{name: "commit PAID before, REFUNDING now", before: refunding, call: commitOf("A"),
			want: result(CodePaid, "A", "")},
		{name: "commit PAID before, CANCELLED now", before: cancelled, call: commitOf("A"),
			want: result(CodePaid, "A", "")},
		{name: "commit NOT_FOUND", call: commitOf("A"), want: Result{}},
		{name: "commit ABORTING", before: aborting, call: commitOf("A"), want: found(CodeAborting)},
		{name: "commit OPEN", before: closed, call: commitOf("A"), want: found(CodeClosed)},
		{name: "commit RUNNING, another attempt", before: otherRunning, call: commitOf("A"),
			want: result(CodeRunning, "B", "")},
		{name: "commit PAID by another attempt", before: paid, call: commitOf("B"), want: found(CodePaid)},
		{name: "commit REFUNDING, another attempt", before: refunding, call: commitOf("B"), want: found(CodeRefunding)},
		{name: "commit CANCELLED, another attempt", before: cancelled, call: commitOf("B"), want: found(CodeCancelled)},

		{name: "refuse CLOSED", before: running, call: refuseOf("A"), want: found(CodeClosed),
			after: strings.Replace(runningOrder, "s=RUNNING", "r=credit s=OPEN", 1)},
		{name: "refuse NOT_FOUND", call: refuseOf("A"), want: Result{}},
		{name: "refuse ABORTING", before: aborting, call: refuseOf("A"), want: found(CodeAborting)},
		{name: "refuse OPEN", before: closed, call: refuseOf("A"), want: found(CodeClosed)},
		{name: "refuse PAID", before: paid, call: refuseOf("A"), want: found(CodePaid)},
		{name: "refuse REFUNDING", before: refunding, call: refuseOf("A"), want: found(CodeRefunding)},
		{name: "refuse CANCELLED", before: cancelled, call: refuseOf("A"), want: found(CodeCancelled)},
		{name: "refuse RUNNING, another attempt", before: otherRunning, call: refuseOf("A"),
			want: result(CodeRunning, "B", "")},

		{name: "claim RUNNING", before: lapsed, call: claim, want: claimed(CodeRunning, ""),
			after: strings.Replace(lapsed, "at now-5", "at now+10", 1), onRetry: &Result{}},
		{name: "claim ABORTING", before: aborting, call: claim, want: claimed(CodeAborting, "credit"),
			after: strings.Replace(aborting, "at now-5", "at now+10", 1), onRetry: &Result{}},
		{name: "claim REFUNDING", before: refunding, call: claim, want: toRefund,
			after: strings.Replace(refunding, "at now-5", "at now+10", 1), onRetry: &Result{}},
		{name: "claim 0, not due", before: strings.Replace(aborting, "at now-5", "at now+5", 1), call: claim,
			want: Result{}},
		{name: "claim 0, the lease has not expired", before: strings.Replace(running, "at now+5", "at now-5", 1),
			call: claim, want: Result{}, after: running},
		{name: "claim 0, the order is decided", before: paid + "\nundecided O at now-5", call: claim, want: Result{},
			after: paid},
		{name: "claim 0, the order is gone", before: "undecided O at now-5", call: claim, want: Result{}, after: " "},
		{name: "claim 0, no entry", before: paid, call: claim, want: Result{}},
	})
}
