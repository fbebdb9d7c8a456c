package lab

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// redfishMessage is one message of a registry.
func redfishMessage(id, text string) map[string]any {
	return map[string]any{
		"@odata.type": "#Message.v1_1_1.Message", "MessageId": id, "Message": text, "MessageArgs": []string{}, "Severity": "Critical", "Resolution": "None.",
	}
}

func redfishError(w http.ResponseWriter, status int, id, text string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{
		"code": "Base.1.15.GeneralError", "message": "A general error has occurred. See ExtendedInfo for more information.",
		"@Message.ExtendedInfo": []any{redfishMessage(id, text)},
	}})
}

// begin says why no update is taken, or opens the record of one and a task. Where the fault accepted-and-nothing holds, the task
// is all that there is: flash is then -1.
func (b *redfish) begin(path string) (busy bool, flash, task int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy || b.has(FaultBusy) {
		return true, -1, 0
	}
	b.tasks = append(b.tasks, &redfishTask{state: "Running", began: b.clock().Now()})
	if b.has(FaultAcceptedAndNothing) {
		return false, -1, len(b.tasks)
	}
	b.busy = true
	return false, b.beginFlash(path), len(b.tasks)
}

// serveUpload takes a form of two parts: what is wanted as JSON, then the image. The image is judged before the answer, and
// written after it.
func (b *redfish) serveUpload(w http.ResponseWriter, r *http.Request) {
	file, lacks := imagePart(r)
	if lacks != "" {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxImage))
		redfishError(w, http.StatusBadRequest, "Base.1.15.ActionParameterMissing", lacks)
		return
	}
	busy, flash, task := b.begin(PathPush)
	img, err := readImage(file)
	switch {
	case busy:
		w.Header().Set("Retry-After", "60")
		redfishError(w, http.StatusServiceUnavailable, "Update.1.0.UpdateInProgress", "An update is in progress.")
		return
	case flash < 0:
		b.accept(w, task)
		return
	}
	rest, refused := b.weigh(task, flash, img, err)
	switch {
	case err != nil && !errors.Is(err, errInvalidImage): // the upload broke off
	case refused != "":
		redfishError(w, http.StatusBadRequest, "Update.1.0.VerificationFailed", refused)
	default:
		b.accept(w, task)
		b.lab.wg.Go(rest)
	}
}

// imagePart finds the image in a form, or says in words what the form lacks.
func imagePart(r *http.Request) (file io.Reader, lacks string) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, "The request is no multipart form."
	}
	var want struct {
		Targets   []string
		ApplyTime string `json:"@Redfish.OperationApplyTime"`
	}
	part, err := form.NextPart()
	if err != nil || part.FormName() != "UpdateParameters" || decode(part, &want) != nil {
		return nil, "The part UpdateParameters is missing or no JSON."
	}
	if want.ApplyTime != "" && want.ApplyTime != "Immediate" || len(want.Targets) > 1 || len(want.Targets) == 1 && want.Targets[0] != root+"/Managers/1" {
		return nil, "The targets or the time cannot be served."
	}
	if part, err = form.NextPart(); err != nil || part.FormName() != "UpdateFile" {
		return nil, "The part UpdateFile is missing."
	}
	return part, ""
}

// weigh judges an image. It gives what is left to do, or in words why it is refused.
func (b *redfish) weigh(task, flash int, img receivedImage, err error) (rest func(), refused string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tasks[task-1]
	outcome, strange := b.judge(flash, img, err, false, b.model)
	if outcome != OutcomeWriting {
		b.busy = false
		t.state, t.messageID = "Exception", "Update.1.0.VerificationFailed"
		t.message = "Verification of image '" + img.Version + "' at 'BMC' failed."
		return nil, t.message
	}
	t.began, t.takes = b.clock().Now(), writeTime(img.bytes, redfishWrite)
	power := b.power
	return func() {
		if !b.write(power, flash, t.takes) {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if power.Err() == nil {
			t.state = "Completed"
			b.after(soon, func() { b.activate(img, flash, strange) })
		}
	}, ""
}

// serveSimpleUpdate fetches the image from where the request says.
func (b *redfish) serveSimpleUpdate(w http.ResponseWriter, r *http.Request) {
	var q struct{ ImageURI, TransferProtocol string }
	if err := decode(r.Body, &q); err != nil || !strings.HasPrefix(q.ImageURI, "http://") {
		redfishError(w, http.StatusBadRequest, "Base.1.15.ActionParameterMissing", "ImageURI is missing or names no file that can be fetched by HTTP.")
		return
	}
	busy, flash, task := b.begin(PathPull)
	if busy {
		redfishError(w, http.StatusServiceUnavailable, "Update.1.0.UpdateInProgress", "An update is in progress.")
		return
	}
	b.accept(w, task)
	if flash < 0 {
		return
	}
	b.mu.Lock()
	power := b.power
	b.mu.Unlock()
	b.lab.wg.Go(func() {
		img, err := b.download(power, q.ImageURI)
		if power.Err() != nil {
			return
		}
		if rest, refused := b.weigh(task, flash, img, err); refused == "" {
			rest()
		}
	})
}

// accept answers that a task runs.
func (b *redfish) accept(w http.ResponseWriter, task int) {
	b.mu.Lock()
	v := b.task(task)
	b.mu.Unlock()
	w.Header().Set("Location", root+"/TaskService/TaskMonitors/"+strconv.Itoa(task))
	writeJSON(w, http.StatusAccepted, v)
}

// task needs mu.
func (b *redfish) task(n int) any {
	t := b.tasks[n-1]
	id, percent, messages := strconv.Itoa(n), 0, []any{}
	switch {
	case t.state == "Completed":
		percent = 100
	case t.takes > 0:
		percent = int(100 * min(b.clock().Now().Sub(t.began), t.takes) / t.takes)
	}
	v := map[string]any{
		"TaskState": t.state, "TaskStatus": "OK", "PercentComplete": percent, "StartTime": t.began.UTC().Format("2006-01-02T15:04:05Z"),
		"TaskMonitor": root + "/TaskService/TaskMonitors/" + id,
	}
	if t.messageID != "" {
		messages, v["TaskStatus"] = append(messages, redfishMessage(t.messageID, t.message)), "Critical"
	}
	v["Messages"] = messages
	return resource("TaskService/Tasks/"+id, "Task.v1_7_0", id, v)
}

// serveTask tells how an update goes; its monitor is answered with 202 for as long as it runs.
func (b *redfish) serveTask(w http.ResponseWriter, r *http.Request, monitor bool) {
	n, err := strconv.Atoi(r.PathValue("id"))
	b.mu.Lock()
	var v any
	running := false
	if err == nil && n > 0 && n <= len(b.tasks) {
		v, running = b.task(n), b.tasks[n-1].state == "Running"
	}
	b.mu.Unlock()
	switch {
	case v == nil:
		redfishError(w, http.StatusNotFound, "Base.1.15.ResourceMissingAtURI", "There is no such task.")
	case monitor && running:
		w.Header().Set("Location", root+"/TaskService/TaskMonitors/"+r.PathValue("id"))
		writeJSON(w, http.StatusAccepted, v)
	default:
		writeJSON(w, http.StatusOK, v)
	}
}
