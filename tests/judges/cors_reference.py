"""The reference for CORS: django-cors-headers in front of a view that answers every request.

Prints its address and runs until it is stopped. Usage: cors_reference.py ORIGIN...
"""

import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    CORS_ALLOWED_ORIGINS=sys.argv[1:],
    INSTALLED_APPS=["corsheaders"],
    MIDDLEWARE=["corsheaders.middleware.CorsMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a reference that keeps nothing",
)
urlpatterns = [re_path("", csrf_exempt(lambda request: JsonResponse({"method": request.method})))]


class Silent(WSGIRequestHandler):
    def log_message(self, *_):
        pass


django.setup()
server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Silent)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
