-- Refuses a header of a client that an application could take for one of Wardroom's: `Remote_user_id`, `Remote.user_id`, ... Only
-- a look at every name does that. `SetEnvIf` with a pattern of names looks at the last header alone that matches.
function refuse(r)
    for name in pairs(r:headers_in_table()) do
        if name:lower():find("^remote[^a-z0-9-]") then
            return 403
        end
    end
    return apache2.DECLINED
end
