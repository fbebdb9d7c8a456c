package lab

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Error codes of Shelly's RPC interface.
const (
	codeBadArgument  = -103
	codeNotFound     = -105
	codePrecondition = -109
	codeUnavailable  = -114
	codeNoMethod     = 404 // not JSON-RPC's -32601
)

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type rpcRequest struct {
	ID     json.RawMessage `json:"id"`
	Src    string          `json:"src"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type rpcResponse struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Src    string          `json:"src"`
	Dst    string          `json:"dst,omitempty"`
	Result any             `json:"result,omitempty"`
	Error  *rpcError       `json:"error,omitempty"`
}

// null is a result that is present and null.
var null = json.RawMessage("null")

// serveFrame answers a JSON-RPC frame. Errors of a method come as HTTP 200 with an error member.
func (p *plug) serveFrame(w http.ResponseWriter, r *http.Request) {
	var req rpcRequest
	unreadable := decode(r.Body, &req)
	switch {
	case !p.allow(w, r, req.Method): // curl asks for the challenge with an empty body
		return
	case unreadable != nil:
		writeJSON(w, http.StatusInternalServerError, rpcError{codeBadArgument, "Invalid JSON"})
		return
	}
	res := rpcResponse{ID: req.ID, Src: p.id(), Dst: req.Src}
	params := map[string]any{}
	if len(req.Params) > 0 && string(req.Params) != "null" {
		if err := json.Unmarshal(req.Params, &params); err != nil {
			res.Error = &rpcError{codeBadArgument, "Invalid argument 'params'!"}
			writeJSON(w, http.StatusOK, res)
			return
		}
	}
	var then func()
	res.Result, res.Error, then = p.call(req.Method, params)
	writeJSON(w, http.StatusOK, res)
	p.later(then)
}

// serveGet answers GET /rpc/<Method>?name=value with the bare result; values are JSON, or strings if they are not.
func (p *plug) serveGet(w http.ResponseWriter, r *http.Request) {
	if !p.allow(w, r, r.PathValue("method")) {
		return
	}
	p.serveBare(w, r.PathValue("method"), queryParams(r.URL.Query()))
}

// servePost answers POST /rpc/<Method> with the parameters as body.
func (p *plug) servePost(w http.ResponseWriter, r *http.Request) {
	if !p.allow(w, r, r.PathValue("method")) {
		return
	}
	params := map[string]any{}
	if err := decode(r.Body, &params); err != nil {
		writeJSON(w, http.StatusInternalServerError, rpcError{codeBadArgument, "Invalid JSON"})
		return
	}
	p.serveBare(w, r.PathValue("method"), params)
}

func (p *plug) serveBare(w http.ResponseWriter, method string, params map[string]any) {
	result, fail, then := p.call(method, params)
	switch {
	case fail != nil && fail.Code == codeNoMethod:
		writeJSON(w, http.StatusNotFound, fail)
	case fail != nil:
		writeJSON(w, http.StatusInternalServerError, fail)
	default:
		writeJSON(w, http.StatusOK, result)
	}
	p.later(then)
}

// later runs what follows an answer, with mu held.
func (p *plug) later(then func()) {
	if then != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.powered {
			p.after(soon, then)
		}
	}
}

func queryParams(q url.Values) map[string]any {
	params := map[string]any{}
	for name := range q {
		var v any
		if err := json.Unmarshal([]byte(q.Get(name)), &v); err != nil {
			v = q.Get(name)
		}
		params[name] = v
	}
	return params
}

type rpcMethod func(params map[string]any) (result any, fail *rpcError, then func())

// methods lists what this plug can do; method names are compared without regard to case, as Shelly does. The Switch
// methods are gone when the switch service is dead. It needs mu.
func (p *plug) methods() map[string]rpcMethod {
	plain := func(f func() any) rpcMethod {
		return func(map[string]any) (any, *rpcError, func()) { return f(), nil, nil }
	}
	m := map[string]rpcMethod{
		"Shelly.GetDeviceInfo":  plain(func() any { return p.deviceInfo() }),
		"Shelly.GetStatus":      plain(func() any { return p.status() }),
		"Shelly.CheckForUpdate": plain(func() any { return p.available(true) }),
		"Shelly.Update":         p.callUpdate,
		"Shelly.Reboot": func(map[string]any) (any, *rpcError, func()) {
			return null, nil, func() { p.reboot(p.bootTime) }
		},
		"Sys.GetStatus":  plain(func() any { return p.sysStatus() }),
		"WiFi.GetStatus": plain(func() any { return p.wifi() }),
	}
	if p.vital.battery >= 0 {
		m["DevicePower.GetStatus"] = func(params map[string]any) (any, *rpcError, func()) {
			if fail := p.switchID(params); fail != nil {
				return nil, fail, nil
			}
			return p.vital.power(), nil, nil
		}
	}
	if p.running["switch"] != nil {
		m["Switch.GetStatus"] = p.callSwitch
		m["Switch.Set"] = p.callSet
	}
	m["Shelly.ListMethods"] = plain(func() any {
		names := make([]string, 0, len(m))
		for name := range m {
			names = append(names, name)
		}
		slices.Sort(names)
		return map[string]any{"methods": names}
	})
	return m
}

func (p *plug) call(method string, params map[string]any) (any, *rpcError, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, f := range p.methods() {
		if strings.EqualFold(name, method) {
			return f(params)
		}
	}
	return nil, &rpcError{codeNoMethod, "No handler for " + method}, nil
}

func (p *plug) callUpdate(params map[string]any) (any, *rpcError, func()) {
	address, byURL := params["url"].(string)
	stage, byStage := params["stage"].(string)
	switch {
	case byURL:
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, &rpcError{codeBadArgument, "Invalid argument 'url'!"}, nil
		}
	case byStage && stage == "beta" || stage != "" && stage != "stable":
		return nil, noStage(stage), nil
	}
	if fail := p.startUpdate(address); fail != nil {
		return nil, fail, nil
	}
	return null, nil, nil
}

func noStage(stage string) *rpcError {
	return &rpcError{codeUnavailable, "Resource unavailable: FW stage " + stage + " not found!"}
}

func (p *plug) switchID(params map[string]any) *rpcError {
	id, ok := params["id"].(float64)
	switch {
	case !ok:
		return &rpcError{codeBadArgument, "Missing required argument 'id'!"}
	case id != 0:
		return &rpcError{codeNotFound, "Argument 'id', value " + strconv.FormatFloat(id, 'f', -1, 64) + " not found!"}
	}
	return nil
}

func (p *plug) callSwitch(params map[string]any) (any, *rpcError, func()) {
	if fail := p.switchID(params); fail != nil {
		return nil, fail, nil
	}
	return p.switchStatus(), nil, nil
}

func (p *plug) callSet(params map[string]any) (any, *rpcError, func()) {
	if fail := p.switchID(params); fail != nil {
		return nil, fail, nil
	}
	on, ok := params["on"].(bool)
	if !ok {
		return nil, &rpcError{codeBadArgument, "Missing required argument 'on'!"}, nil
	}
	was := p.on
	p.on = on
	return map[string]any{"was_on": was}, nil, nil
}

// switchStatus needs mu, as do the following.
func (p *plug) switchStatus() map[string]any {
	power := 0.0
	if p.on {
		power = 8.4
	}
	return map[string]any{
		"id": 0, "source": "init", "output": p.on, "apower": power, "voltage": 230.4, "current": power / 230.4,
		"aenergy":     map[string]any{"total": 12.3, "by_minute": []float64{0, 0, 0}, "minute_ts": p.now().Unix() / 60 * 60},
		"temperature": map[string]any{"tC": 41.2, "tF": 106.2},
	}
}

func (p *plug) status() map[string]any {
	s := map[string]any{
		"ble": map[string]any{}, "cloud": map[string]any{"connected": false}, "mqtt": map[string]any{"connected": false},
		"plugs_ui": map[string]any{}, "sys": p.sysStatus(), "ws": map[string]any{"connected": false},
		"wifi": p.wifi(),
	}
	if p.vital.signal == 0 {
		s["eth"] = map[string]any{"ip": p.host.ifaces[0].addr.String()}
	}
	if p.vital.battery >= 0 {
		s["devicepower:0"] = p.vital.power()
	}
	if p.running["switch"] != nil {
		s["switch:0"] = p.switchStatus()
	}
	return s
}

// wifi is the status of the radio, or of one that is switched off because a cable is in.
func (p *plug) wifi() map[string]any {
	if p.vital.signal == 0 {
		return map[string]any{"sta_ip": nil, "status": "disconnected", "ssid": nil, "rssi": nil}
	}
	return map[string]any{"sta_ip": p.host.ifaces[0].addr.String(), "status": "got ip", "ssid": "lab", "rssi": p.vital.signal}
}

func (p *plug) sysStatus() map[string]any {
	now := p.now()
	up := p.clock().Now().Sub(p.upSince)
	var updates any // null until the plug has asked its maker
	if up >= plugAsks {
		updates = p.available(false)
	}
	return map[string]any{
		"mac": p.mac(), "restart_required": false, "time": now.UTC().Format("15:04"), "unixtime": now.Unix(),
		"uptime":   int64(up.Seconds()),
		"ram_size": 234564, "ram_free": 130512, "fs_size": 458752, "fs_free": 143360, "cfg_rev": 11,
		"kvs_rev": 0, "schedule_rev": 0, "webhook_rev": 0, "reset_reason": 3,
		"available_updates": updates,
	}
}

// available says what the maker offers: an empty object if that is nothing newer.
func (p *plug) available(withBuild bool) map[string]any {
	if p.offer == nil || !older(p.version(), p.offer.version) {
		return map[string]any{}
	}
	stable := map[string]any{"version": p.offer.version}
	if withBuild {
		stable["build_id"] = p.firmwareID(p.offer.version)
	}
	return map[string]any{"stable": stable}
}
