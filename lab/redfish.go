package lab

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RedfishSpec describes the management controller of a server (BMC), which speaks DMTF's Redfish over TLS.
type RedfishSpec struct {
	Place
	Model      string // of the server: RX-3500 if empty
	Controller string // model of the controller itself: CX-4 if empty
	Version    string // of the controller's firmware: 1.45.0 if empty
	Password   string // of user root; lab-bmc-secret if empty
	KeySeed    string // its certificate belongs to this key; the name if empty
}

// RedfishPassword is that of a controller that was given none.
const RedfishPassword = "lab-bmc-secret"

// redfish is a management controller with one slot. Its state is guarded by the device's mutex.
type redfish struct {
	*Device
	password string
	tokens   []string
	tasks    []*redfishTask // since it was started
}

// redfishTask is one update on its way.
type redfishTask struct {
	state, message, messageID string
	began                     time.Time
	takes                     time.Duration // zero until it is known
}

const (
	redfishBoot  = 100 * time.Second
	redfishWrite = 1 << 20 // bytes per second
	redfishUser  = "root"
	maxTokens    = 8
)

// AddRedfish adds a management controller and boots it.
func (l *Lab) AddRedfish(spec RedfishSpec) (*Device, error) {
	d, err := l.add("bmc", spec.Place, []byte{0x00, 0x25, 0x90}, false, or(spec.Version, "1.45.0")) // Super Micro
	if err != nil {
		return nil, err
	}
	b := &redfish{Device: d, password: or(spec.Password, RedfishPassword)}
	d.model, d.hardware, d.bootTime = or(spec.Model, "RX-3500"), or(spec.Controller, "CX-4"), redfishBoot
	d.serial = "CN" + strings.ToUpper(hex.EncodeToString(d.host.ifaces[0].mac[2:]))
	certificate, err := d.selfSigned(keyOf(or(spec.KeySeed, spec.Name)), "bmc.local", "Contoso")
	if err != nil {
		return nil, err
	}
	d.services = []service{
		{name: "http", network: "tcp", port: 80, stream: d.serveHTTP(http.HandlerFunc(b.sendToTLS))},
		{name: "https", network: "tcp", port: 443, main: true, stream: d.serveHTTPS(certificate, b.handler())},
	}
	d.onBoot = func() { b.tasks, b.tokens = nil, nil }
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

// sendToTLS says that nothing is told in clear text.
func (b *redfish) sendToTLS(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "https://"+b.host.ifaces[0].addr.String()+r.URL.Path, http.StatusMovedPermanently)
}

const root = "/redfish/v1"

func (b *redfish) handler() http.Handler {
	mux := http.NewServeMux()
	open := func(path string, answer func() any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			b.mu.Lock()
			v := answer()
			b.mu.Unlock()
			writeJSON(w, http.StatusOK, v)
		})
	}
	owner := func(pattern string, do http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if b.allow(w, r) {
				do(w, r)
			}
		})
	}
	page := func(path string, answer func() any) {
		owner("GET "+root+path, func(w http.ResponseWriter, _ *http.Request) {
			b.mu.Lock()
			v := answer()
			b.mu.Unlock()
			writeJSON(w, http.StatusOK, v)
		})
	}
	open("/redfish", func() any { return map[string]string{"v1": root + "/"} })
	open(root, b.serviceRoot)
	open(root+"/{$}", b.serviceRoot)
	mux.HandleFunc("POST "+root+"/SessionService/Sessions", b.openSession)
	owner("DELETE "+root+"/SessionService/Sessions/{id}", b.closeSession)
	page("/SessionService", func() any {
		return resource("SessionService", "SessionService.v1_1_8", "SessionService", map[string]any{
			"ServiceEnabled": true, "SessionTimeout": 1800, "Sessions": ref("/SessionService/Sessions"),
		})
	})
	page("/Systems", func() any { return collection("Systems", "ComputerSystem", "1") })
	page("/Systems/1", b.computer)
	page("/Managers", func() any { return collection("Managers", "Manager", "1") })
	page("/Managers/1", b.manager)
	page("/UpdateService", b.updateService)
	page("/UpdateService/FirmwareInventory", func() any { return collection("UpdateService/FirmwareInventory", "SoftwareInventory", "BMC", "BIOS") })
	page("/UpdateService/FirmwareInventory/BMC", func() any { return software("BMC", "Management controller", b.version(), true) })
	page("/UpdateService/FirmwareInventory/BIOS", func() any { return software("BIOS", "System BIOS", "2.18.1", false) })
	page("/TaskService", func() any {
		return resource("TaskService", "TaskService.v1_2_0", "TaskService", map[string]any{"ServiceEnabled": true, "Tasks": ref("/TaskService/Tasks")})
	})
	page("/TaskService/Tasks", func() any {
		var ids []string
		for i := range b.tasks {
			ids = append(ids, strconv.Itoa(i+1))
		}
		return collection("TaskService/Tasks", "Task", ids...)
	})
	owner("GET "+root+"/TaskService/Tasks/{id}", func(w http.ResponseWriter, r *http.Request) { b.serveTask(w, r, false) })
	owner("GET "+root+"/TaskService/TaskMonitors/{id}", func(w http.ResponseWriter, r *http.Request) { b.serveTask(w, r, true) })
	owner("POST "+root+"/UpdateService/upload", b.serveUpload)
	owner("POST "+root+"/UpdateService/Actions/UpdateService.SimpleUpdate", b.serveSimpleUpdate)
	owner("/", func(w http.ResponseWriter, r *http.Request) {
		redfishError(w, http.StatusNotFound, "Base.1.15.ResourceMissingAtURI", "The resource at the URI '"+r.URL.Path+"' was not found.")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("OData-Version", "4.0")
		mux.ServeHTTP(w, r)
	})
}

// allow tells whether a request bears the password or the token of a session, and has answered if not.
func (b *redfish) allow(w http.ResponseWriter, r *http.Request) bool {
	user, password, basic := r.BasicAuth()
	b.mu.Lock()
	ok := basic && user == redfishUser && password == b.password
	if token := r.Header.Get("X-Auth-Token"); token != "" {
		ok = slices.Contains(b.tokens, token)
	}
	b.mu.Unlock()
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="Redfish"`)
		redfishError(w, http.StatusUnauthorized, "Base.1.15.NoValidSession", "There is no valid session established with the implementation.")
	}
	return ok
}

func (b *redfish) openSession(w http.ResponseWriter, r *http.Request) {
	var q struct{ UserName, Password string }
	if err := decode(r.Body, &q); err != nil {
		redfishError(w, http.StatusBadRequest, "Base.1.15.MalformedJSON", "The request body submitted was malformed JSON and could not be parsed by the receiving service.")
		return
	}
	b.mu.Lock()
	ok, full := q.UserName == redfishUser && q.Password == b.password, len(b.tokens) >= maxTokens
	token := fmt.Sprintf("%016x", b.random(uint64(len(b.tokens))+uint64(b.clock().Now().UnixNano())).Uint64())
	if ok && !full {
		b.tokens = append(b.tokens, token)
	}
	b.mu.Unlock()
	switch {
	case !ok:
		redfishError(w, http.StatusUnauthorized, "Base.1.15.ResourceAtUriUnauthorized", "The user name or password is wrong.")
	case full:
		redfishError(w, http.StatusServiceUnavailable, "Base.1.15.SessionLimitExceeded", "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.")
	default:
		w.Header().Set("X-Auth-Token", token)
		w.Header().Set("Location", root+"/SessionService/Sessions/"+token)
		writeJSON(w, http.StatusCreated, resource("SessionService/Sessions/"+token, "Session.v1_5_0", token, map[string]any{"UserName": q.UserName}))
	}
}

func (b *redfish) closeSession(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.tokens = slices.DeleteFunc(b.tokens, func(t string) bool { return t == r.PathValue("id") })
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (b *redfish) uuid(part byte) string {
	mac := b.host.ifaces[0].mac
	return fmt.Sprintf("30393137-3436-584%x-%x-%x", part, []byte{0x8d, mac[0]}, []byte(mac))
}

// serviceRoot is what everybody may read. It needs mu, as do all that follow.
func (b *redfish) serviceRoot() any {
	return resource("", "ServiceRoot.v1_15_0", "RootService", map[string]any{
		"RedfishVersion": "1.15.0", "UUID": b.uuid(1), "Vendor": "Contoso", "Product": "Contoso Management Controller",
		"Systems": ref("/Systems"), "Managers": ref("/Managers"), "UpdateService": ref("/UpdateService"), "Tasks": ref("/TaskService"),
		"SessionService": ref("/SessionService"), "Links": map[string]any{"Sessions": ref("/SessionService/Sessions")},
	})
}

func (b *redfish) computer() any {
	return resource("Systems/1", "ComputerSystem.v1_20_0", "1", map[string]any{
		"SystemType": "Physical", "Manufacturer": "Contoso", "Model": b.model, "SerialNumber": b.serial, "UUID": b.uuid(2),
		"PowerState": "On", "BiosVersion": "2.18.1", "Status": healthy, "MemorySummary": map[string]any{"TotalSystemMemoryGiB": 64, "Status": healthy},
		"Boot":  map[string]string{"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None", "BootSourceOverrideMode": "UEFI"},
		"Links": map[string]any{"ManagedBy": []any{ref("/Managers/1")}},
		"Actions": map[string]any{"#ComputerSystem.Reset": map[string]any{
			"target": root + "/Systems/1/Actions/ComputerSystem.Reset", "ResetType@Redfish.AllowableValues": []string{"On", "ForceOff", "GracefulRestart"},
		}},
	})
}

func (b *redfish) manager() any {
	return resource("Managers/1", "Manager.v1_18_0", "1", map[string]any{
		"ManagerType": "BMC", "Model": b.reportedHardware(), "Manufacturer": "Contoso", "FirmwareVersion": b.version(), "UUID": b.uuid(1),
		"DateTime": b.now().UTC().Format(time.RFC3339), "Status": healthy, "Links": map[string]any{"ManagerForServers": []any{ref("/Systems/1")}},
		"Actions": map[string]any{"#Manager.Reset": map[string]any{
			"target": root + "/Managers/1/Actions/Manager.Reset", "ResetType@Redfish.AllowableValues": []string{"GracefulRestart"},
		}},
	})
}

func (b *redfish) updateService() any {
	return resource("UpdateService", "UpdateService.v1_12_0", "UpdateService", map[string]any{
		"ServiceEnabled": true, "Status": healthy, "MultipartHttpPushUri": root + "/UpdateService/upload", "MaxImageSizeBytes": maxImage,
		"FirmwareInventory": ref("/UpdateService/FirmwareInventory"),
		"Actions": map[string]any{"#UpdateService.SimpleUpdate": map[string]any{
			"target": root + "/UpdateService/Actions/UpdateService.SimpleUpdate", "TransferProtocol@Redfish.AllowableValues": []string{"HTTP"},
		}},
	})
}

var healthy = map[string]string{"State": "Enabled", "Health": "OK"}

func ref(path string) map[string]string { return map[string]string{"@odata.id": root + path} }

func resource(path, kind, id string, v map[string]any) map[string]any {
	short, _, _ := strings.Cut(kind, ".")
	v["@odata.id"], v["@odata.type"], v["Id"], v["Name"] = root+"/"+path, "#"+kind+"."+short, id, short
	return v
}

func collection(path, kind string, ids ...string) any {
	members := []any{}
	for _, id := range ids {
		members = append(members, ref("/"+path+"/"+id))
	}
	return map[string]any{
		"@odata.id": root + "/" + path, "@odata.type": "#" + kind + "Collection." + kind + "Collection", "Name": kind + " Collection",
		"Members@odata.count": len(members), "Members": members,
	}
}

func software(id, name, version string, updateable bool) any {
	v := resource("UpdateService/FirmwareInventory/"+id, "SoftwareInventory.v1_8_0", id, map[string]any{
		"Version": version, "Updateable": updateable, "SoftwareId": "contoso-" + strings.ToLower(id), "Status": healthy,
	})
	v["Name"] = name
	return v
}
