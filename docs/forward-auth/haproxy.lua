-- Asks Wardroom whether a client may pass, for haproxy.cfg. Whatever goes wrong, the request is refused.
local identity = {
    "remote-user", "remote-user-id", "remote-groups", "remote-group-names",
    "remote-email", "remote-name", "remote-staff", "remote-admin", "remote-scopes",
}

-- The lines of a header as the client of HAProxy's Lua wants them: a list that begins at 1.
local function lines(headers, name)
    local found, index = {}, 0
    while headers[name] and headers[name][index] do
        found[#found + 1] = headers[name][index]
        index = index + 1
    end
    return found
end

local function refuse(txn, status, response)
    local reply = txn:reply({ status = status })
    local headers = response and response.headers or {}
    for _, name in ipairs({ "www-authenticate", "content-type", "retry-after" }) do
        if headers[name] then reply:add_header(name, headers[name][0]) end
    end
    reply:add_header("cache-control", "no-store")
    reply:set_body(response and response.body or "")
    txn:done(reply)
end

local function wardroom(txn, url)
    local headers = { ["x-forwarded-for"] = { txn.f:src() } }
    local keys = lines(txn.http:req_get_headers(), "authorization")
    if #keys > 0 then headers["authorization"] = keys end
    -- Milliseconds. The client of HAProxy asks four times, so a Wardroom that does not answer is a 503 after two seconds.
    local response = core.httpclient():get({ url = url, headers = headers, timeout = 500 })
    local status = response and response.status or 0
    if status == 401 or status == 403 then return refuse(txn, status, response) end
    if status ~= 200 then return refuse(txn, 503) end
    for _, name in ipairs(identity) do
        local values = response.headers[name]
        if not values then return refuse(txn, 503) end
        txn.http:req_set_header(name, values[0])
    end
end

core.register_action("wardroom", { "http-req" }, wardroom, 1)
