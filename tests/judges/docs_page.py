"""Drives the page /api/docs in a real browser, as the admin of `wardroom demo`.

Every operation is opened, "Try it out" and "Execute" are pressed, and nothing is typed. It has to succeed, and the page
has to show the status that the server sent. Usage: docs_page.py WARDROOM PICTURES

The page is also photographed in light and dark at three widths. The pictures are for people; nothing compares them.
"""

import pathlib
import re
import sys

from playwright.sync_api import expect, sync_playwright

from demo import Demo, chromium

# Each ends the token that is used, so each gets a demo of its own.
ENDS_THE_TOKEN = ["auth_sign_out", "users_me_sign_out"]
# The page cannot know the code and the link that the demo prints.
REFUSED = ["auth_code_verify", "auth_password_reset"]
WIDTHS = [390, 820, 1440]
# For one step of the page. Generous, because the machine may be busy; nothing waits this long if the page works.
PATIENCE = 60_000


def open_page(browser, demo, faults, **how):
    """Opens the page in a fresh browser profile. Whatever the browser complains about is a fault."""
    context = browser.new_context(**how)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("console", lambda line: note_complaint(line, faults))
    page.on("request", lambda request: note_foreign(request.url, demo.site, faults))
    page.goto(demo.page)
    expect(page.locator(".opblock").first).to_be_visible(timeout=PATIENCE)
    return page


def note_complaint(line, faults):
    # The browser reports every refusal as an error of its own; whether a refusal is right is checked elsewhere.
    if line.type == "error" and "Failed to load resource" not in line.text:
        faults.append(f"console: {line.text}")


def note_foreign(url, site, faults):
    if not url.startswith((site, "data:", "blob:")):
        faults.append(f"the page loads {url}")


def reload(page):
    """Loads the page again, with all operations closed: its address names the one that was opened last."""
    page.evaluate("history.replaceState(null, '', location.pathname)")
    page.reload()
    expect(page.locator(".opblock").first).to_be_visible(timeout=PATIENCE)


def authorize(page, typed):
    page.locator(".scheme-container .btn.authorize").click()
    dialog = page.locator(".modal-ux")
    expect(dialog).to_contain_text("Type the key of a token")
    # There is one field. Other schemes in the document are for the programs of other people.
    dialog.locator("input").fill(typed)
    dialog.locator(".btn.modal-btn.auth.authorize").click()
    dialog.locator(".btn-done").click()


def log_out(page):
    page.locator(".scheme-container .btn.authorize").click()
    page.locator(".modal-ux .btn.modal-btn.auth", has_text="Logout").click()
    page.locator(".modal-ux .btn-done").click()


def operations(document):
    """In the order of the page."""
    order = [tag["name"] for tag in document["tags"]]
    all_of_them = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            all_of_them.append((method.upper(), path, operation))
    return sorted(all_of_them, key=lambda found: order.index(found[2]["tags"][0]))


def press(block, button):
    """Clicks without a mouse: it costs a fraction of the time, and there are hundreds of clicks."""
    found = block.locator(button)
    expect(found).to_be_enabled(timeout=PATIENCE)
    found.dispatch_event("click")


def attempt(page, method, path, operation):
    """Executes an operation as the page has filled it in; returns the status and the request that was sent."""
    block = page.locator(f"#operations-{operation['tags'][0]}-{operation['operationId']}")
    if not block.locator(".try-out__btn").is_visible():
        press(block, ".opblock-summary-control")
    press(block, ".try-out__btn")
    # Nothing optional is filled in.
    for row in block.locator("tr[data-param-in=query], tr[data-param-in=header]").all():
        for field in row.locator("input:not([type=checkbox]), select").all():
            assert field.input_value() in ["", "--"], f"{method} {path}: {row.get_attribute('data-param-name')} is filled in"
    pattern = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + r"$")
    sent = lambda response: response.request.method == method and pattern.search(response.url.split("?")[0])
    with page.expect_response(sent) as waiting:
        press(block, "button.execute")
    response = waiting.value
    assert "?" not in response.url, f"{method} {path} was sent with a query: {response.url}"
    # The browser follows a redirect, and the page shows what it leads to.
    status = 200 if 300 <= response.status < 400 else response.status
    shown = block.locator(".live-responses-table .response .response-col_status")
    expect(shown).to_have_text(re.compile(rf"^{status}\b"), timeout=PATIENCE)
    press(block, ".opblock-summary-control")
    return response


def try_everything(browser, program, faults):
    with Demo(program) as demo:
        all_of_them = operations(demo.document())
        page = open_page(browser, demo, faults)
        authorize(page, demo.key)
        for method, path, operation in all_of_them:
            if operation["operationId"] in ENDS_THE_TOKEN:
                continue
            response = attempt(page, method, path, operation)
            said = f"{method} {path}: {response.status}"
            print(said, flush=True)
            expected = [400] if operation["operationId"] in REFUSED else range(200, 400)
            if response.status not in expected:
                faults.append(f"{said} {response.text()}")
    for last in ENDS_THE_TOKEN:
        with Demo(program) as demo:
            page = open_page(browser, demo, faults)
            authorize(page, demo.key)
            one = next(found for found in all_of_them if found[2]["operationId"] == last)
            for wanted in [200, 401]:
                response = attempt(page, *one)
                said = f"{one[0]} {one[1]}: {response.status}"
                print(said, flush=True)
                if response.status != wanted and (wanted, response.status) != (200, 204):
                    faults.append(f"{said}, and not {wanted}")
                reload(page)
    return len(all_of_them)


def try_authorization(browser, program, faults):
    """The bare key, the value of the header, the whole header: all work, and survive a reload."""
    with Demo(program) as demo:
        document = demo.document()
        me = ("GET", "/api/users/me", document["paths"]["/api/users/me"]["get"])
        page = open_page(browser, demo, faults)
        assert attempt(page, *me).status == 401, "without a key"
        for typed in [demo.key, f"  Token {demo.key} ", f"Authorization: Token {demo.key}"]:
            reload(page)
            authorize(page, typed)
            assert attempt(page, *me).status == 200, typed
            reload(page)
            expect(page.locator(".scheme-container .btn.authorize.locked")).to_be_visible(timeout=PATIENCE)
            response = attempt(page, *me)
            assert response.status == 200, f"{typed}, after a reload"
            assert response.request.headers["authorization"] == f"Token {demo.key}"
            reload(page)
            log_out(page)
            reload(page)
            assert attempt(page, *me).status == 401, "after a logout"
        # Another tab, or the same browser tomorrow, has no key.
        authorize(page, demo.key)
        assert attempt(open_again(page, demo), *me).status == 401, "in another tab"


def open_again(page, demo):
    other = page.context.new_page()
    other.goto(demo.page)
    return other


def photograph(browser, program, pictures, faults):
    pictures.mkdir(parents=True, exist_ok=True)
    with Demo(program) as demo:
        document = demo.document()
        for scheme in ["light", "dark"]:
            for width in WIDTHS:
                size = {"width": width, "height": 900}
                page = open_page(browser, demo, faults, color_scheme=scheme, viewport=size)
                wide = page.evaluate("document.documentElement.scrollWidth")
                if wide > width:
                    faults.append(f"{scheme}: the page is {wide} wide in a window of {width}")
                page.screenshot(path=pictures / f"{scheme}-{width}-top.png")
                page.locator(".scheme-container .btn.authorize").click()
                page.screenshot(path=pictures / f"{scheme}-{width}-authorize.png")
                page.locator(".modal-ux .btn-done").click()
                authorize(page, demo.key)
                for operation_id in ["users_me_retrieve", "users_create"]:
                    one = next(found for found in operations(document) if found[2]["operationId"] == operation_id)
                    attempt(page, *one)
                    block = page.locator(f"#operations-users-{operation_id}")
                    press(block, ".opblock-summary-control")
                    block.screenshot(path=pictures / f"{scheme}-{width}-{operation_id}.png")
                wide = page.evaluate("document.documentElement.scrollWidth")
                if wide > width:
                    faults.append(f"{scheme}: an open operation is {wide} wide in a window of {width}")
                page.context.close()


def main():
    program, pictures = sys.argv[1], pathlib.Path(sys.argv[2])
    faults = []
    with sync_playwright() as player:
        # Without a sandbox of its own, because judges also run as root. It opens only our page.
        browser = player.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        tried = try_everything(browser, program, faults)
        try_authorization(browser, program, faults)
        photograph(browser, program, pictures, faults)
        browser.close()
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"{tried} operations tried, pictures in {pictures}")


main()
